"""What a build's log becomes, and how a failed one is explained."""

from __future__ import annotations

import pytest

from sm_remote.service.engines.docker.builds import BuildLog, explain_failure


def take(*answers: dict[str, str]) -> tuple[BuildLog, list[str]]:
    lines: list[str] = []
    log = BuildLog(lines.append)
    for answer in answers:
        log.take(answer)
    return log, lines


def test_pieces_become_lines_without_colours_passwords_and_the_daemons_own_notes() -> None:
    _, lines = take(
        {"stream": "Step 1/2 : FROM a\n ---> 0123\n"},
        {"stream": "\x1b[91mhalf "},
        {"stream": "line\x1b[0m\nRemoving intermediate container 1\n"},
        {"stream": "Looking in https://me:word@host/simple\n"},
        {"status": "Pulling"},
        {"stream": 'Step 2/2 : ENV TOKEN="secret"\n'},
    )
    assert lines.pop() == "Step 2/2 : ENV TOKEN=..."
    assert lines == ["Step 1/2 : FROM a", "half line", "Looking in https://***@host/simple"]


def test_a_failed_step_is_told_with_its_own_lines() -> None:
    log, _ = take(
        {"stream": "Step 1/2 : FROM a\nnot this\n"},
        {"stream": 'Step 2/2 : RUN ["/bin/sh", "-c", "make all"]\nmake: no rule\n'},
        {"error": "The command returned a non-zero code: 2"},
    )
    error = explain_failure("image:1", log)
    assert str(error) == "image:1: The command returned a non-zero code: 2"
    assert error.step == "RUN /bin/sh -c make all"
    assert error.tail == ("make: no rule",)
    assert "Correct that step" in error.fix


@pytest.mark.parametrize("step", ["RUN false", 'RUN "a b"', "RUN {}", "RUN 1", "COPY a b"])
def test_a_step_that_is_no_list_is_told_as_it_stands(step: str) -> None:
    log, _ = take({"stream": f"Step 1/1 : {step}\n"}, {"error": "failed"})
    assert explain_failure("image:1", log).step == step


@pytest.mark.parametrize(
    ("step", "line", "advice"),
    [
        ("RUN pip", "error: dns error: failed to lookup address information", "connect this machine"),
        ("RUN pip", "Temporary failure in name resolution", "connect this machine"),
        ("FROM python:3.11-slim", "", "can pull"),
    ],
)
def test_a_missing_network_is_named(step: str, line: str, advice: str) -> None:
    log, _ = take({"stream": f"Step 1/1 : {step}\n{line}\n"}, {"error": "failed"})
    assert advice in explain_failure("image:1", log).fix
