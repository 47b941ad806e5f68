"""FailureReason in the forms that SageMaker uses."""

from __future__ import annotations

import pytest

from sm_remote.service.engines.engine import ContainerExit
from sm_remote.service.records import failures


def render(code: int, text: str = "", *, oom: bool = False, peak: int | None = None, limit: int | None = None):
    ended = ContainerExit(code=code, out_of_memory=oom, peak_memory_bytes=peak)
    return failures.render_exit(ended, text, memory_limit_bytes=limit)


def test_exit_0_is_no_failure():
    assert render(0, "text in the file is no failure by itself") is None


def test_the_failure_file_is_the_reason():
    assert render(1, "ValueError: x") == "AlgorithmError: ValueError: x, exit code: 1"


def test_an_empty_failure_file_gives_the_form_that_sagemaker_gives():
    assert render(3) == "AlgorithmError: , exit code: 3"


def test_a_container_out_of_memory_says_limit_and_peak():
    assert render(137, oom=True, peak=1000, limit=1024) == (
        "ClientError: Please use an instance type with more memory, or reduce the size of job data processed on an "
        "instance. (limit 1024 bytes, peak 1000 bytes), exit code: 137"
    )


def test_a_child_out_of_memory_is_the_algorithms_own_failure():
    assert render(1, "a worker died", oom=True) == "AlgorithmError: a worker died, exit code: 1"


def test_a_container_that_somebody_killed_is_not_taken_for_out_of_memory():
    assert render(137) == "AlgorithmError: container was killed from outside (SIGKILL), exit code: 137"


@pytest.mark.parametrize("text", ["x" * 5000, "☃" * 5000])
def test_a_reason_has_at_most_1024_characters_and_still_its_exit_code(text):
    reason = render(1, text)
    assert len(reason) == 1024
    assert reason.endswith(", exit code: 1")
