"""The commands about images that are built here: image build, list, prune."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sm_remote.cli.json_text import render_json
from sm_remote.cli.options import json_option
from sm_remote.cli.world import World

if TYPE_CHECKING:
    from sm_remote.image.definition import Image


@click.group()
def image() -> None:
    """Container images that are built for jobs."""


@image.command()
@click.argument("source")
@click.option(
    "--context",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="For a Dockerfile: the directory that its COPY lines read, by default its own.",
)
@click.option("--push", is_flag=True, help="Send it to ECR, unless it is there; the repository is made when needed.")
@json_option
@click.pass_obj
def build(world: World, source: str, context: Path | None, push: bool, as_json: bool) -> None:
    """Build an image and print its URI.

    SOURCE is a Dockerfile, a directory that has one, a bare Python as `python:3.12`, or an Image in Python:
    `module:name` or `file.py:name`, where the name is an Image's or a remote function's.
    """
    from sm_remote.cli.image_sources import load_image
    from sm_remote.cli.progress import lines_to_stderr
    from sm_remote.jobs.environments.built_images import ensure_image
    from sm_remote.jobs.environments.image_push import push_image

    wanted = _name_base(load_image(source, context), world)
    discovery = world.service.start()
    with lines_to_stderr("sm_remote"):
        recipe = ensure_image(wanted, world.home, discovery)
        uri = push_image(recipe, world.connect("sagemaker"), discovery) if push else recipe.uri
    content = {"image": uri, "key": recipe.key, "local_image": recipe.uri, "description": recipe.description}
    sys.stdout.write(render_json(content) if as_json else f"{uri}\n")


def _name_base(wanted: Image, world: World) -> Image:
    """An image that can be built: where it starts from one of AWS's, which one that is."""
    from sm_remote.capture.interpreter import describe_interpreter
    from sm_remote.image.definition import AwsBase, Image
    from sm_remote.jobs.environments.aws_image_choice import find_region, name_image

    if not isinstance(wanted.base, AwsBase):
        return wanted
    settings = world.resolve()
    minor = ".".join(describe_interpreter().version.split(".")[:2])
    named = name_image(wanted, settings, find_region(settings, world.connect(settings.target)), minor)
    return named if isinstance(named, Image) else Image.from_uri(named)


@image.command("list")
@click.option("--aws", is_flag=True, help="The images that AWS keeps for training, instead.")
@click.option("--framework", help="Only those with this framework, such as pytorch.")
@click.option("--python", help="Only those with this minor version of Python, such as 3.12.")
@click.option("--region", help="Where: their URIs differ. By default the region of the settings or the environment.")
@json_option
@click.pass_obj
def list_(
    world: World, aws: bool, framework: str | None, python: str | None, region: str | None, as_json: bool
) -> None:
    """List the images that were built here, newest first, or with --aws those that AWS keeps for training."""
    if aws:
        _list_aws(world, framework, python, region, as_json=as_json)
        return
    if framework or python or region:
        raise click.UsageError("--framework, --python and --region go with --aws.")
    from sm_remote.cli.image_rendering import render_images, render_images_json
    from sm_remote.jobs.environments.built_images import call_through, list_built

    found = list_built(call_through(world.service.start()))
    sys.stdout.write(render_images_json(found) if as_json else render_images(found, now=world.now()))


def _list_aws(world: World, framework: str | None, python: str | None, region: str | None, *, as_json: bool) -> None:
    from sm_remote.catalogue import list_frameworks, select_images
    from sm_remote.cli.image_rendering import render_aws_images, render_aws_images_json
    from sm_remote.home import LOCAL_REGION

    if framework is not None and framework not in list_frameworks():
        raise click.UsageError(f"--framework is one of {', '.join(list_frameworks())}.")
    configured = world.environ.get("AWS_REGION") or world.environ.get("AWS_DEFAULT_REGION")
    where = region or world.resolve().region or configured or LOCAL_REGION
    found = select_images(framework=framework, python=python, region=where)
    sys.stdout.write(render_aws_images_json(found, where) if as_json else render_aws_images(found, where))


@image.command()
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Remove what was built longer ago; 0 for all.",
)
@json_option
@click.pass_obj
def prune(world: World, older_than: float, as_json: bool) -> None:
    """Remove built images that no live job uses. A job that needs one later has it built again."""
    from sm_remote.cli.image_rendering import render_images_json, render_pruned
    from sm_remote.jobs.environments.built_images import call_through, find_live_images, list_built, prune_built

    call = call_through(world.service.start())
    live = find_live_images(world.connect("local"))
    limit = world.now() - timedelta(days=older_than)
    chosen = [one for one in list_built(call) if one.uri not in live and one.created < limit]
    removed, kept = prune_built(chosen, call)
    sys.stdout.write(render_images_json(removed) if as_json else render_pruned(removed, kept))
