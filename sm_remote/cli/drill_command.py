"""sm-remote drill: a script, interrupted at random moments, has to leave the same files."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sm_remote.cli.inert_text import make_inert


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--interruptions", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides their moments.")
@click.option("--instance-type", metavar="TYPE", help="The machine; otherwise that of the settings.")
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def drill(interruptions: int, seed: int, instance_type: str | None, script: Path, arguments: tuple[str, ...]) -> None:
    """Rehearse interruptions of spot capacity with a SCRIPT, on this machine.

    It runs once in peace and then under interruptions: at random moments, while it saves checkpoints, with a notice
    and without. Each time it has to leave the same files in SM_MODEL_DIR and SM_OUTPUT_DATA_DIR. ARGUMENTS are the
    script's; options of the drill come before its name.
    """
    from sm_remote.capture.script_body import read_script
    from sm_remote.decorator import remote

    run = remote(read_script(script, arguments))
    if instance_type is not None:
        run = run.options(instance_type=instance_type)
    report = run.drill(interruptions=interruptions, seed=seed)
    sys.stdout.write("".join(make_inert(line) + "\n" for line in str(report).splitlines()))
