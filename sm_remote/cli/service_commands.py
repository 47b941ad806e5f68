"""The commands about the local training service: start, stop, status, logs, env."""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path
from typing import Any

import click

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.options import json_option
from sm_remote.cli.service_rendering import (
    build_environment,
    render_environment,
    render_farewell,
    render_status,
    render_status_json,
)
from sm_remote.cli.world import World
from sm_remote.errors import ServiceUnavailable
from sm_remote.home import Discovery, StandingOptions


@click.group()
def service() -> None:
    """The local training service, which runs jobs on this machine.

    It starts at the first local job and ends when it has been idle; no command here is ever needed.
    """


@service.command()
@click.option("--with-s3", is_flag=True, help="With an S3 server of its own (needs: pip install 'sm-remote[s3]').")
@click.option(
    "--container-credentials",
    metavar="WHICH",
    help="The AWS credentials of code in containers: none, s3 (of that server), or profile:NAME.",
)
@json_option
@click.pass_obj
def start(world: World, with_s3: bool, container_credentials: str | None, as_json: bool) -> None:
    """Start it, unless it runs.

    With an option, one that runs otherwise is replaced, and every later start is the same until `sm-remote service
    stop`. With --with-s3 it does not end when it is idle; data and address of the S3 server stay.
    """
    if with_s3 or container_credentials:
        if container_credentials is not None:
            from sm_remote.settings.schema import check_value

            check_value("container_credentials", container_credentials, origin="--container-credentials")
        world.service.start(StandingOptions(with_s3=with_s3, container_credentials=container_credentials))
    else:
        world.service.start()
    _tell(world, _find(world), as_json)


@service.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Tell whether it runs, and what. Exit code 1 when it does not."""
    found = ctx.obj.service.find()
    if found is None:
        sys.stdout.write(render_json({"running": False}) if as_json else "The local training service does not run.\n")
        ctx.exit(1)
    _tell(ctx.obj, found, as_json)


def _tell(world: World, found: tuple[Discovery, dict[str, Any]], as_json: bool) -> None:
    sys.stdout.write(render_status_json(*found) if as_json else render_status(*found, home=world.home))


@service.command()
@click.pass_obj
def stop(world: World) -> None:
    """End it, and wait until it has ended. Jobs that run go on; its successor takes them over."""
    found = world.service.find()
    if found is None:
        sys.stdout.write("The local training service does not run.\n")
        return
    world.service.stop(found[0])
    sys.stdout.write(render_farewell(*found))


@service.command()
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(min=0), help="How many of the last.")
@click.pass_obj
def logs(world: World, lines: int) -> None:
    """Print the end of its own log (a job's log: `sm-remote logs NAME`)."""
    for line in read_tail(world.home.service / "service.log", lines):
        sys.stdout.write((make_inert(line, colours=world.colours) if world.terminal else line) + "\n")


def read_tail(path: Path, lines: int, *, most_bytes: int = 4 * 2**20) -> list[str]:
    """The last lines of a file, out of its last bytes; empty where there is no file."""
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            file.seek(max(0, size_bytes - most_bytes))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return list(deque(text.splitlines(), maxlen=lines))


@service.command()
@json_option
@click.pass_obj
def env(world: World, as_json: bool) -> None:
    """Print the variables that point any AWS client at it, and at its S3 server where it has one.

    For a shell: eval "$(sm-remote service env)". Starts the service when it does not run; its port changes with each
    start.
    """
    variables = build_environment(world.service.start())
    sys.stdout.write(render_json(variables) if as_json else render_environment(variables))


def _find(world: World) -> tuple[Discovery, dict[str, Any]]:
    found = world.service.find()
    if found is None:
        raise ServiceUnavailable(
            "The local training service was started, and ended again.",
            fix="`sm-remote service logs` shows its last words.",
        )
    return found
