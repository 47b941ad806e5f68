"""The log of a job, as a caller who waits sees it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.aws.responses import TrainingJobDescription, parse_description
from sm_remote.aws.training_jobs import LogPage
from sm_remote.jobs.logs import follow_log
from tests.fakes.cli_world import build_answer


class QueuedJob:
    """`TrainingJobs` for one job that passes through given secondary states, a look each; its log comes at the end."""

    def __init__(self, *secondary: str) -> None:
        self.session = SimpleNamespace(holds_requests=True)
        self._states = list(secondary)

    def describe(self, name: str, *, wait_s: float = 0.0, seen: int = 0) -> TrainingJobDescription:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        status = "Completed" if state == "Completed" else "InProgress"
        return parse_description(build_answer(name, status) | {"SecondaryStatus": state})

    def list_log_streams(self, job_name: str) -> list[str]:
        return [f"{job_name}/algo-1-1763712000"] if self._states == ["Completed"] else []

    def read_log(self, stream: str, *, token: str | None = None, **_: Any) -> LogPage:
        lines = ["step 1"] if token is None else []
        return LogPage(lines=lines, times_ms=[0] * len(lines), forward="f", backward="b", closed=True)


@pytest.mark.parametrize(
    ("states", "told"),
    [(["Pending", "Pending", "Training", "Completed"], 1), (["Starting", "Training", "Completed"], 0)],
)
def test_that_a_job_waits_is_told_once_and_before_its_first_line(states: list[str], told: int) -> None:
    seen: list[str] = []
    api: Any = QueuedJob(*states)
    for line in follow_log(api, "fit-1", follow=True, on_wait=lambda: seen.append("waits")):
        seen.append(line)
    assert seen == ["waits"] * told + ["step 1"]
