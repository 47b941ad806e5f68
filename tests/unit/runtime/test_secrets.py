"""In the job secrets come out of a pipe or of Secrets Manager, into the function's process alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_remote.errors import JobFailed
from sm_remote.runtime import secrets, streams
from sm_remote.runtime.secrets import cover_bytes, cover_text, pass_on, reveal_secrets, take_secrets, take_up
from sm_remote.wire.layout import SECRETS_FILE
from tests.fakes.secrets_manager import FakeSecretsManager

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/hf-AbCdEf"
REFERENCE = {"SM_REMOTE_SECRET_HF_TOKEN": "env:MINE"}


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    yield
    secrets._held.clear()
    secrets._covered.clear()
    streams.cover_output(bytes)


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SM_REMOTE_ML_ROOT", str(tmp_path))
    (tmp_path / "input" / "config").mkdir(parents=True)
    return tmp_path / "input" / "config" / SECRETS_FILE


def fill(pipe: Path, values: dict[str, str]) -> int:
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    os.write(descriptor, json.dumps(values).encode() + b"\n")
    return descriptor


def test_a_secret_of_the_pipe_becomes_a_variable_in_its_references_place(pipe: Path) -> None:
    descriptor = fill(pipe, {"HF_TOKEN": "value-of-mine"})
    environ = {**REFERENCE, "A": "1"}
    take_secrets(environ)
    assert environ == {**REFERENCE, "A": "1"}  # not yet: commands may run before the function
    reveal_secrets(environ)
    assert environ == {"HF_TOKEN": "value-of-mine", "A": "1"}
    with pytest.raises(BlockingIOError):
        os.read(descriptor, 1)  # nothing is left for another process
    os.close(descriptor)
    assert not pipe.exists()
    assert not secrets._held


@pytest.mark.parametrize("how", ["the service has ended", "somebody has read it"])
def test_a_pipe_with_nothing_in_it_is_said(pipe: Path, how: str) -> None:
    descriptor = fill(pipe, {"HF_TOKEN": "x"})
    if how == "the service has ended":
        os.close(descriptor)
    else:
        os.read(descriptor, 100)
    with pytest.raises(JobFailed, match="HF_TOKEN cannot be had") as caught:
        take_secrets(REFERENCE)
    assert "Submit the job again" in caught.value.fix


def test_where_no_pipe_leads_there_the_values_are_a_file_which_is_removed(pipe: Path) -> None:
    pipe.write_text('{"HF_TOKEN": "x"}\n')
    take_secrets(REFERENCE)
    assert secrets._held == {"HF_TOKEN": "x"}
    assert not pipe.exists()


def test_a_job_without_secrets_looks_for_none(pipe: Path) -> None:
    pipe.write_text("not json")
    take_secrets({"A": "1"})


def test_ranks_that_mpirun_starts_get_them_and_leave_them_to_nobody() -> None:
    secrets._held["HF_TOKEN"] = "x"
    environ = dict(REFERENCE)
    pass_on(environ)
    secrets._held.clear()
    take_up(environ)
    assert environ == REFERENCE
    reveal_secrets(environ)
    assert environ == {"HF_TOKEN": "x"}


def test_on_sagemaker_the_job_asks_secrets_manager_once_for_each_secret() -> None:
    manager = FakeSecretsManager({"team/db": '{"user": "me", "password": "p"}', ARN: "whole", "binary": b"text"})
    environ = {
        "AWS_REGION": "us-east-1",
        "SM_REMOTE_SECRET_DB_USER": "secretsmanager:team/db#user",
        "SM_REMOTE_SECRET_DB_PASSWORD": "secretsmanager:team/db#password",
        "SM_REMOTE_SECRET_HF_TOKEN": f"secretsmanager:{ARN}",
        "SM_REMOTE_SECRET_B": "secretsmanager:binary",
    }
    reveal_secrets(environ, load=manager.load)
    revealed = {"DB_USER": "me", "DB_PASSWORD": "p", "HF_TOKEN": "whole", "B": "text"}
    assert environ == {"AWS_REGION": "us-east-1", **revealed}
    assert manager.asked == [("us-east-1", "team/db"), ("eu-west-1", ARN), ("us-east-1", "binary")]


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "a"),
        ({"AWS_DEFAULT_REGION": "b"}, "b"),
        ({"TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-3:111122223333:training-job/x"}, "eu-west-3"),
        ({}, None),
    ],
)
def test_the_region_is_the_jobs_own(environ: dict[str, str], region: str | None) -> None:
    assert secrets.find_region(environ) == region


def _no_boto3(name: str) -> Any:
    raise ImportError(f"No module named {name!r}")


@pytest.mark.parametrize(
    ("reference", "load", "why"),
    [
        ("secretsmanager:a", _no_boto3, "no boto3"),
        ("secretsmanager:absent", None, "ResourceNotFoundException"),
        ("secretsmanager:text#key", None, "no JSON object"),
        ("secretsmanager:binary", None, "it is binary"),
        ("env:A", None, "only local jobs get"),
        ("hidden-value", None, "neither env:NAME"),
    ],
)
def test_a_secret_that_cannot_be_read_ends_the_job_and_is_not_shown(reference: str, load: Any, why: str) -> None:
    manager = FakeSecretsManager({"text": "hidden-value", "binary": b"\xff\xfe"})
    with pytest.raises(JobFailed, match="The secret HF_TOKEN cannot be read") as caught:
        reveal_secrets({"SM_REMOTE_SECRET_HF_TOKEN": reference}, load=load or manager.load)
    assert why in caught.value.why
    assert "hidden-value" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_printed_of_a_secret_is_covered() -> None:
    key = "-----BEGIN-----\nline one of the key\nab\n"
    secrets._held.update({"A": "value-of-mine", "AND_MORE": "value-of-mine-and-more", "KEY": key, "SHORT": "abc"})
    reveal_secrets({f"SM_REMOTE_SECRET_{name}": "env:X" for name in ("A", "AND_MORE", "KEY", "SHORT")})
    assert cover_bytes(b"<value-of-mine-and-more> <value-of-mine> abc") == b"<***> <***> abc"
    assert cover_text("line one of the key, ü\udc80") == "***, ü\udc80"


def test_a_covered_line_is_written_whole(tmp_path: Path) -> None:
    streams.cover_output(lambda content: content.replace(b"secret", b"***"))
    with open(tmp_path / "log", "wb") as file:
        output = streams.WatchedOutput(file.fileno())
        assert output.write(b"a secret here") == 13
        assert output.unfinished
        assert output.write(b" and another secret\n") == 20
        assert not output.unfinished
        assert output.write(b"plain\n") == 6
    assert (tmp_path / "log").read_bytes() == b"a *** here and another ***\nplain\n"
