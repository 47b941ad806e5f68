"""Options and arguments that several commands share."""

from __future__ import annotations

import click

target_option = click.option(
    "--target",
    type=click.Choice(["local", "sagemaker"]),
    help="Where the jobs are; by default what the settings say.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")
name_argument = click.argument("name")
