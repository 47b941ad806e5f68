"""The commands that run a job again and compare two: replay, diff."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from sm_remote.cli.inert_text import make_inert, make_lines_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.options import json_option, name_argument, target_option
from sm_remote.cli.world import World


@click.command()
@name_argument
@click.option("--instance-type", help="Another machine.")
@click.option("--max-runtime-in-seconds", type=click.IntRange(min=1), help="Another limit.")
@click.option("--max-cost", type=float, metavar="USD", help="What it may cost; by default what the job might.")
@click.option("--job-name-prefix", help="What the new job's name begins with.")
@target_option
@json_option
@click.pass_obj
def replay(world: World, /, name: str, target: str | None, as_json: bool, **options: Any) -> None:
    """Run a training job again: the same code, arguments and packages under a new name. Nothing is uploaded."""
    from sm_remote.jobs.attach import resolve_name
    from sm_remote.jobs.repetition.replay import replay_through

    connection = world.connect(target)
    given = {key: value for key, value in options.items() if value is not None}
    full = resolve_name(connection, name)
    job = replay_through(connection, full, given)
    job._submit()
    if as_json:
        sys.stdout.write(render_json({"name": job.name, "arn": job.arn, "replay_of": full}))
    else:
        sys.stdout.write(f"{make_inert(job.name)}\n")
        sys.stderr.write(f"It runs. Its log: `sm-remote logs -f {make_inert(job.name)}`.\n")


@click.command()
@click.argument("before")
@click.argument("after")
@target_option
@json_option
@click.pass_obj
def diff(world: World, before: str, after: str, target: str | None, as_json: bool) -> None:
    """Tell what differs between two training jobs: code, packages, image, data, machine, settings."""
    from sm_remote.jobs.attach import resolve_name
    from sm_remote.jobs.repetition.diff import diff_through

    connection = world.connect(target)
    names = [resolve_name(connection, name) for name in (before, after)]
    found = diff_through(connection, names[0], connection, names[1])
    if as_json:
        sys.stdout.write(render_json(asdict(found)))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in make_lines_inert(str(found))))
