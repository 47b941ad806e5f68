"""Each command that the README has people type is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from sm_remote.cli.app import app

README = Path(__file__).parents[3] / "README.md"
COMMANDS = re.findall(r"^\s*(?:\S+ .*\$\()?(sm-remote [^#\n`)]+)", README.read_text(), re.MULTILINE)


def test_there_are_some() -> None:
    assert any("doctor --target sagemaker" in command for command in COMMANDS)
    assert any("iam trust" in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    found: click.Command = app
    while isinstance(found, click.Group):
        _, found, words = found.resolve_command(click.Context(found), words)  # type: ignore[assignment]
    found.make_context(found.name, words).close()
