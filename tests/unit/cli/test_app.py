from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sm_remote import __version__
from sm_remote.cli.app import app, render_error
from sm_remote.errors import RemoteError
from sm_remote.home import Home
from tests.fakes.cli_world import NOW, build_world


def test_an_error_has_its_parts_on_lines_of_their_own() -> None:
    error = RemoteError("It failed.", why="Because:\n\x1b[2Jof this.", fix="Do that.")
    assert render_error(error) == "Error: It failed.\n  Because:\n  of this.\n  Do that.\n"
    assert render_error(RemoteError("It failed.")) == "Error: It failed.\n"


WINDOWS = """
import asyncio, click, shutil, subprocess, sys, tempfile
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
sys.platform = "win32"
import sm_remote
from sm_remote import remote

@remote
def double(x):
    return 2 * x

try:
    double(1)
except sm_remote.ConfigError as error:
    print(error)
from sm_remote.cli import main
sys.argv = ["sm-remote", "jobs"]
main()
"""


def test_windows_is_refused_with_what_to_do_when_something_is_called() -> None:
    done = subprocess.run([sys.executable, "-c", WINDOWS], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("sm_remote does not run on Windows itself.\n")
    assert "wsl --install" in done.stdout
    assert done.stderr.startswith("Error: sm_remote does not run on Windows itself.\n  ")
    assert "Traceback" not in done.stderr


def fail_with(error: BaseException) -> Any:
    def connect(target: str | None) -> Any:
        raise error

    return connect


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (PermissionError(13, "Permission denied", "/home/x"), 1, "Error: [Errno 13] Permission denied: '/home/x'\n"),
        (RemoteError("No.", fix="Yes."), 1, "Error: No.\n  Yes.\n"),
        (KeyboardInterrupt(), 130, "\n"),
    ],
)
def test_what_goes_wrong_is_told_without_a_traceback(
    tmp_path: Path, error: BaseException, code: int, told: str
) -> None:
    world = dataclasses.replace(build_world(tmp_path), connect=fail_with(error))
    result = CliRunner().invoke(app, ["jobs"], obj=world)
    assert result.exit_code == code
    assert result.stderr.startswith(told)
    assert result.stdout == ""


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"sm-remote {__version__}\n"


def test_help_costs_no_client() -> None:
    """`sm-remote --help` answers before anything of AWS, Docker or the settings is imported."""
    program = (
        "import sys, sm_remote.cli\n"
        "heavy = ('boto3', 'botocore', 'docker', 'tornado', 'traitlets', 'cloudpickle')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_a_doctor_with_nothing_amiss_exits_with_zero_and_changes_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    world = dataclasses.replace(
        build_world(tmp_path, resolve=lambda: __import__("types").SimpleNamespace(target="local", engine="process")),
        home=Home(data=directory, cache=directory / "cache"),
        now=lambda: NOW,
    )
    result = CliRunner().invoke(app, ["doctor"], obj=world)
    assert result.exit_code == 0, result.output
    assert "not looked for: the setting engine is 'process'" in result.stdout
    assert not directory.exists()


def test_a_doctor_who_finds_a_failure_exits_with_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor"], obj=build_world(tmp_path))
    assert result.exit_code == 1
    assert "FAIL  settings" in result.stdout


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "No AWS region is set."),
        ({"AWS_PROFILE": "absent", "AWS_DEFAULT_REGION": "us-east-1"}, "The AWS configuration cannot be used."),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "No AWS credentials were found here."),
    ],
)
def test_an_aws_that_is_not_set_up_is_told(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["jobs", "--target", "sagemaker"])
    assert result.exit_code == 1, result.exception
    assert told in result.stderr.splitlines()[0]
