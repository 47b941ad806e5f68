"""A secret never stands in a request: what looks like one is refused before anything is looked at or sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sm_remote.capture.interpreter import TargetPython
from sm_remote.errors import ConfigError
from sm_remote.jobs.submission.preparation import prepare_function
from sm_remote.jobs.submission.secrets import check_changes, check_reader, check_secrets
from sm_remote.settings import resolve_settings

KEY = "AK" + "IA" + "ABCDEFGHIJKLMNOP"


def resolve(**settings: Any) -> Any:
    return resolve_settings(settings, environ={"HOME": "/nowhere"}, cwd="/")


@pytest.mark.parametrize(
    "settings",
    [
        {"environment_variables": {"A": "1", "KEY": KEY}},
        {"hyperparameters": {"key": KEY}},
        {"tags": {"key": KEY}},
        {"extra_request": {"HyperParameters": {"key": KEY}}},
        {"pre_execution_commands": [f"aws configure set aws_access_key_id {KEY}"]},
    ],
)
def test_a_call_is_refused_before_its_target_is_asked_anything(settings: dict[str, Any]) -> None:
    nothing: Any = object()
    with pytest.raises(ConfigError, match="looks like an AWS access key") as caught:
        prepare_function(print, (), {}, resolve(**settings), nothing)
    assert KEY not in str(caught.value)


def test_a_script_that_runs_first_is_read(tmp_path: Path) -> None:
    script = tmp_path / "setup.sh"
    script.write_bytes(f"echo \xe9\nexport KEY={KEY}\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="pre_execution_script, line 2, has what looks like an AWS access key"):
        check_secrets(resolve(pre_execution_script=str(script)))
    check_secrets(resolve(pre_execution_script=str(script), not_secret=["KEY"]))


def test_a_value_that_is_known_to_be_no_secret_passes() -> None:
    check_secrets(resolve(environment_variables={"KEY": KEY, "A": "b"}, not_secret=["KEY"]))


def test_what_a_replay_changes_is_looked_at_too() -> None:
    with pytest.raises(ConfigError, match="looks like an AWS access key"):
        check_changes({"hyperparameters": {"key": KEY}}, target="local")
    check_changes({"hyperparameters": {"key": KEY}, "not_secret": ("key",)}, target="local")


def test_on_sagemaker_a_variable_of_this_process_is_refused_with_the_line_to_write() -> None:
    with pytest.raises(ConfigError, match="cannot get this process's variables") as caught:
        check_secrets(resolve(target="sagemaker", secrets={"HF_TOKEN": "env:HF_TOKEN"}))
    assert "secrets={'HF_TOKEN': 'secretsmanager:HF_TOKEN'}" in caught.value.fix
    check_secrets(resolve(target="sagemaker", secrets={"HF_TOKEN": "secretsmanager:hf"}))


def test_a_local_call_is_refused_where_the_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINE", raising=False)
    with pytest.raises(ConfigError, match="MINE is not set"):
        check_secrets(resolve(secrets={"HF_TOKEN": "env:MINE"}))
    monkeypatch.setenv("MINE", "x")
    check_secrets(resolve(secrets={"HF_TOKEN": "env:MINE"}))


ON_SAGEMAKER = {"target": "sagemaker", "secrets": {"HF_TOKEN": "secretsmanager:hf"}}


@pytest.mark.parametrize(
    ("settings", "installed", "requirements"),
    [
        (ON_SAGEMAKER, {"boto3": "1.40.0"}, ()),
        (ON_SAGEMAKER, {}, ("numpy==2.0", "./a path", "boto3==1.40.0")),
        ({"secrets": {"HF_TOKEN": "secretsmanager:hf"}}, {}, ()),
        ({"target": "sagemaker"}, {}, ()),
    ],
)
def test_a_job_that_has_boto3_or_needs_none_is_sent(
    settings: dict[str, Any], installed: dict[str, str], requirements: tuple[str, ...]
) -> None:
    python = TargetPython(version="3.11", same_as_host=False, installed=installed)
    check_reader(resolve(**settings), python, requirements)


def test_a_job_without_boto3_is_refused_before_it_is_submitted() -> None:
    python = TargetPython(version="3.11", same_as_host=False, installed={"numpy": "2.0"}, image="an/image:1")
    with pytest.raises(ConfigError, match="has no boto3") as caught:
        check_reader(resolve(**ON_SAGEMAKER), python, ["numpy==2.0"])
    assert "import boto3" in caught.value.fix


@pytest.mark.parametrize(("installed", "knows_all"), [(None, True), ({}, False)])
def test_an_image_whose_packages_are_not_known_is_said(
    installed: dict[str, str] | None, knows_all: bool, caplog: pytest.LogCaptureFixture
) -> None:
    python = TargetPython(
        version="3.11", same_as_host=False, installed=installed, knows_all=knows_all, image="an/image"
    )
    check_reader(resolve(**ON_SAGEMAKER), python, [])
    assert "an/image has boto3" in caplog.text
