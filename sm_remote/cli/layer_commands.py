"""The commands about layers of installed packages: layers list, show, prune."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from sm_remote.cli.options import json_option
from sm_remote.cli.world import World


@click.group()
def layers() -> None:
    """The installed packages that are kept for jobs, each set once."""


@layers.command("list")
@json_option
@click.pass_obj
def list_(world: World, as_json: bool) -> None:
    """List layers, the one used last first."""
    from sm_remote.cli.layer_rendering import render_layers, render_layers_json
    from sm_remote.jobs.environments.layers import list_layers

    found = list_layers(world.home)
    sys.stdout.write(render_layers_json(found) if as_json else render_layers(found, now=world.now()))


@layers.command()
@click.argument("key")
@json_option
@click.pass_obj
def show(world: World, key: str, as_json: bool) -> None:
    """Show what is in a layer. KEY may be the beginning of its key."""
    from sm_remote.cli.layer_rendering import render_layer, render_layers_json
    from sm_remote.jobs.environments.layers import find_layer

    layer = find_layer(world.home, key)
    sys.stdout.write(render_layers_json([layer]) if as_json else render_layer(layer, now=world.now()))


@layers.command()
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Remove what no job has used for so long; 0 for all that no job uses now.",
)
@json_option
@click.pass_obj
def prune(world: World, older_than: float, as_json: bool) -> None:
    """Remove layers that are not used; never one that a live job has. A job that needs one later makes it again."""
    from sm_remote.cli.layer_rendering import render_layers_json, render_pruned
    from sm_remote.jobs.environments.layers import (
        find_live_keys,
        list_layers,
        remove_layer,
        remove_unused_bytecode,
        select_removable,
    )

    live, age = find_live_keys(world.connect("local")), timedelta(days=older_than)
    chosen = select_removable(list_layers(world.home), live, older_than=age, now=world.now())
    for layer in chosen:
        remove_layer(layer, world.home)
    remove_unused_bytecode(world.home, older_than=age, now=world.now())
    sys.stdout.write(render_layers_json(chosen) if as_json else render_pruned(chosen))
