"""The commands that take capacity away on this machine: interrupt, and service capacity."""

from __future__ import annotations

import sys
from typing import Any

import click

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.options import json_option, name_argument
from sm_remote.cli.world import World
from sm_remote.home import Discovery


@click.command()
@name_argument
@click.pass_obj
def interrupt(world: World, name: str) -> None:
    """Take away the spot capacity of a training job on this machine.

    The job gets SIGTERM, then SIGKILL, and starts again from its checkpoints, as on a spot instance that is reclaimed.
    """
    from sm_remote.jobs.attach import resolve_name

    full = resolve_name(world.connect("local"), name, live=True)
    world.service.call(_find(world), "InterruptTrainingJob", {"TrainingJobName": full})
    sys.stdout.write(f"{make_inert(full)} is interrupted, and will start again.\n")


@click.command()
@click.argument("instance_type", required=False)
@click.argument("state", type=click.Choice(["available", "pending", "error"]), required=False)
@click.option(
    "--market",
    type=click.Choice(["any", "spot", "on-demand"]),
    default="any",
    show_default=True,
    help="Which capacity is meant.",
)
@json_option
@click.pass_obj
def capacity(world: World, instance_type: str | None, state: str | None, market: str, as_json: bool) -> None:
    """Tell which instance types are short, or make one short, to try out what a client does then.

    With INSTANCE_TYPE (* for all) and STATE: `error` has its jobs fail with a CapacityError, `pending` has them wait,
    `available` ends that.
    """
    if instance_type is None:
        answer = world.service.call(_find(world), "ListShortages", {})
    elif state is None:
        raise click.UsageError("Say what the instance type is to be: available, pending or error.")
    else:
        body = {"InstanceType": instance_type, "Capacity": state, "Market": market}
        answer = world.service.call(_find(world), "SetCapacity", body)
    shortages = answer["Shortages"]
    sys.stdout.write(render_json(shortages) if as_json else render_shortages(shortages))


def render_shortages(shortages: list[dict[str, Any]]) -> str:
    """One line for each instance type that is short."""
    if not shortages:
        return "No instance type is short.\n"
    return "".join(
        f"{make_inert(each['InstanceType'])}  {each['Market']} capacity  {each['Capacity']}\n" for each in shortages
    )


def _find(world: World) -> Discovery:
    found = world.service.find()
    return found[0] if found else world.service.start()
