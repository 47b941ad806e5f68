"""Names of training jobs fit the API's pattern, whatever the function is called."""

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.aws.constraints import check_request
from sm_remote.jobs.creation.name import build_job_name

MOMENT = datetime(2026, 11, 21, 8, 5, 9)
PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@given(st.text(max_size=200), st.integers(min_value=0, max_value=2**64 - 1))
def test_any_prefix_becomes_a_valid_name(prefix: str, bits: int) -> None:
    name = build_job_name(prefix, MOMENT, bits)
    assert len(name) <= 63
    assert PATTERN.fullmatch(name)


@pytest.mark.parametrize(
    ("prefix", "start"),
    [
        ("train", "train-20261121-080509-"),
        ("train_model", "train-model-20261121-080509-"),
        ("<lambda>", "lambda-20261121-080509-"),
        ("__init__", "init-20261121-080509-"),
        ("модель", "job-20261121-080509-"),
        ("", "job-20261121-080509-"),
    ],
)
def test_names_are_readable(prefix: str, start: str) -> None:
    assert build_job_name(prefix, MOMENT, 12345).startswith(start)


def test_the_same_second_gives_different_names() -> None:
    assert build_job_name("f", MOMENT, 1) != build_job_name("f", MOMENT, 2)


def test_the_api_accepts_the_longest_name() -> None:
    problems = check_request("StopTrainingJob", {"TrainingJobName": build_job_name("x" * 500, MOMENT, 0)})
    assert problems == []
