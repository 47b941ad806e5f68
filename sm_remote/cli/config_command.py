"""`sm-remote config`: every setting, its value, and where it comes from."""

from __future__ import annotations

import sys

import click

from sm_remote.cli.options import json_option
from sm_remote.cli.world import World


@click.command()
@click.option("-v", "--help-texts", is_flag=True, help="Say what each setting does.")
@json_option
@click.pass_obj
def config(world: World, help_texts: bool, as_json: bool) -> None:
    """Show every setting, its value and its origin."""
    from sm_remote.cli.config_rendering import (
        SettingRow,
        render_config,
        render_config_json,
        render_config_tabs,
        render_config_with_help,
    )
    from sm_remote.settings import describe_settings

    settings = world.resolve()
    rows = [
        SettingRow(
            name=found.name, value=settings.value(found.name), origin=settings.origin(found.name), help=found.help
        )
        for found in describe_settings()
    ]
    if as_json:
        text = render_config_json(rows)
    elif help_texts:
        text = render_config_with_help(rows, width=world.width, colours=world.colours)
    elif world.terminal:
        text = render_config(rows, colours=world.colours)
    else:
        text = render_config_tabs(rows)
    sys.stdout.write(text)
