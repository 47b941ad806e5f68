"""`sm-remote doctor`: looks at all that a job needs, and names the command that mends what is missing."""

from __future__ import annotations

import dataclasses
import importlib.util
import platform
import shutil
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from sm_remote import __version__
from sm_remote.cli.check_rendering import render_checks, render_checks_json
from sm_remote.cli.checks import (
    Check,
    State,
    check_certificates,
    check_home,
    check_leftovers,
    check_notebook,
    check_python,
    check_service,
    check_settings,
    check_uv,
)
from sm_remote.cli.engine_checks import (
    Machine,
    check_bubblewrap,
    check_docker,
    has_systemd,
    probe_docker,
    read_kernel_setting,
)
from sm_remote.cli.options import json_option
from sm_remote.cli.sagemaker_checks import (
    check_api,
    check_credentials,
    check_profile,
    check_region,
)
from sm_remote.cli.world import World
from sm_remote.errors import ConfigError, EngineUnavailable

if TYPE_CHECKING:
    from sm_remote.aws.simulation import Identity
    from sm_remote.settings import ResolvedSettings


@click.command()
@click.option(
    "--target", type=click.Choice(["local", "sagemaker"]), help="What to look at; by default what the settings say."
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, target: str | None, as_json: bool) -> None:
    """Say what is missing, and the one command that mends it. Starts and changes nothing."""
    world: World = ctx.obj
    checks = list(examine(world, target))
    sys.stdout.write(render_checks_json(checks) if as_json else render_checks(checks, colours=world.colours))
    ctx.exit(1 if any(check.state is State.FAILURE for check in checks) else 0)


def examine(world: World, target: str | None) -> Iterator[Check]:
    """Looks at everything, one thing after the other."""
    yield check_python(sys.version_info[:3], platform.system(), platform.machine())
    yield from check_home(world.home)
    yield from check_leftovers(world.home)
    found, settings = check_settings(world.resolve, target)
    yield found
    chosen = target or (settings.target if settings is not None else "local")
    if chosen == "local":
        yield from _examine_local(world, settings.engine if settings is not None else "auto")
    yield check_uv(_find_uv())
    yield check_notebook([name for name in ("jupyterlab", "ipywidgets", "ipykernel") if not _is_installed(name)])
    context = ssl.create_default_context()
    yield check_certificates(len(context.get_ca_certs()), ssl.get_default_verify_paths().cafile)
    if chosen == "sagemaker":
        yield from _examine_sagemaker(world, settings)


def _examine_local(world: World, wanted: str) -> Iterator[Check]:
    from sm_remote.service.engines.process.sandbox import probe_bubblewrap

    machine = Machine(
        system=platform.system(),
        has_systemd=has_systemd(),
        docker_host=world.environ.get("DOCKER_HOST"),
        find_program=shutil.which,
    )
    docker_answers = False
    if wanted == "process":
        yield Check(name="docker", state=State.OK, detail="not looked for: the setting engine is 'process'")
    else:
        answer = probe_docker(world.environ)
        docker_answers = not isinstance(answer, EngineUnavailable)
        yield check_docker(answer, wanted=wanted, machine=machine)
    yield check_bubblewrap(
        installed=shutil.which("bwrap") is not None,
        works=probe_bubblewrap() is not None,
        docker_answers=docker_answers,
        machine=machine,
        read_kernel=read_kernel_setting,
    )
    try:
        found = world.service.find()
    except OSError as error:
        yield Check(name="service", state=State.FAILURE, detail=f"its files cannot be read: {error}")
    else:
        yield check_service(found, version=__version__, docker_answers=docker_answers, wanted=wanted)


def _examine_sagemaker(world: World, settings: ResolvedSettings | None) -> Iterator[Check]:
    from botocore.exceptions import BotoCoreError

    try:
        region, make_client = world.connect_briefly(settings.region if settings else None)
    except BotoCoreError as error:
        yield check_profile(error)
        return
    yield check_region(region)
    if region is None:
        return
    credentials, identity = check_credentials(make_client)
    yield credentials
    if identity is not None:
        yield check_api(make_client)
        if settings is not None:
            yield from _examine_account(make_client, settings, region, identity)


def _examine_account(
    make_client: Callable[[str], Any], settings: ResolvedSettings, region: str, identity: Identity
) -> Iterator[Check]:
    from sm_remote.aws.policies import build_caller_policy, build_execution_policy
    from sm_remote.aws.training_jobs import LOG_GROUP
    from sm_remote.cli.account_checks import check_caller, check_job, check_logs, check_role
    from sm_remote.cli.policy_scope import build_scope
    from sm_remote.cli.resource_checks import check_bucket, check_quotas

    yield check_logs(make_client, LOG_GROUP)
    told, role = check_role(make_client, settings.role, identity)
    yield told
    try:
        scope = build_scope(
            settings, region=region, account=identity.account, role=role.arn if role is not None else None
        )
    except ConfigError as error:
        yield Check(name="settings", state=State.FAILURE, detail=error.what, fix=error.fix)
        return
    found = role.arn if role is not None and not settings.role else ""
    yield from check_caller(make_client, identity, build_caller_policy(scope, ()), role=found)
    if role is not None:
        yield check_job(make_client, role, build_execution_policy(scope, vpc=bool(settings.subnets)))
    yield check_bucket(make_client, scope.bucket, region=region, owner=settings.bucket_owner or identity.account)
    yield _examine_image(make_client, settings, region)
    yield from check_quotas(
        make_client,
        [name for name in (settings.chosen_instance_type, *settings.further_instance_types) if name],
        region=region,
        count=settings.instance_count,
        spot=settings.use_spot_instances,
        warm_pool=bool(settings.keep_alive_period_in_seconds),
    )


def _examine_image(make_client: Callable[[str], Any], settings: ResolvedSettings, region: str) -> Check:
    from sm_remote.capture.interpreter import describe_interpreter
    from sm_remote.catalogue import find_framework, find_python, list_choices
    from sm_remote.cli.resource_checks import check_image
    from sm_remote.image.definition import Image
    from sm_remote.jobs.environments.aws_image_choice import choose_default_image, find_processor, name_image, propose

    here = ".".join(describe_interpreter().version.split(".")[:2])
    if settings.chosen_instance_type is None:  # functions name their own; most images differ only for GPUs
        settings = dataclasses.replace(settings, chosen_instance_type=list_choices()[0])
    image = settings.image_uri
    try:
        if image is None:
            image = choose_default_image(settings, region, here)
        elif isinstance(image, Image):
            image = name_image(image, settings, region, here)
    except ConfigError as error:
        return Check(name="image", state=State.FAILURE, detail=error.what, fix=error.fix)
    if isinstance(image, Image):
        return Check(name="image", state=State.OK, detail=f"{image} is built here and pushed when a job needs it")
    told = check_image(make_client, image, region=region)
    found = find_python(image)
    if told.state is State.OK and found not in (None, here):
        fix = propose(here, region=region, processor=find_processor(settings), framework=find_framework(image))
        return Check(name="image", state=State.FAILURE, detail=f"{image} has Python {found}, this is {here}", fix=fix)
    return told


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _find_uv() -> str | None:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")
