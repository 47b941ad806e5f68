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


class RestartedJob:
    """`TrainingJobs` for a job on spot capacity whose second attempt starts when the first one's log has been read."""

    def __init__(self, *, holds: bool, hosts: int = 1) -> None:
        self.session = SimpleNamespace(holds_requests=holds)
        self._hosts = hosts
        self._looks = 0

    def describe(self, name: str, *, wait_s: float = 0.0, seen: int = 0) -> TrainingJobDescription:
        self._looks += 1
        status = "InProgress" if self._looks < 4 else "Completed"
        return parse_description(build_answer(name, status) | {"EnableManagedSpotTraining": True})

    def list_log_streams(self, job_name: str) -> list[str]:
        seconds = (10, 20) if self._looks > 2 else (10,)
        return [f"{job_name}/algo-{host}-{second}" for host in range(1, self._hosts + 1) for second in seconds]

    def read_log(self, stream: str, *, token: str | None = None, **_: Any) -> LogPage:
        """Each stream has two lines, a page each."""
        number = int(token or 0)
        lines = [f"{stream[-2:]}: line {number}"] if number < 2 else []
        forward = str(min(number + 1, 2))
        return LogPage(lines=lines, times_ms=[0] * len(lines), forward=forward, backward="b", closed=number >= 1)


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("follow", [True, False])
def test_attempts_are_kept_apart_and_each_is_read_to_its_end(holds: bool, follow: bool) -> None:
    api: Any = RestartedJob(holds=holds)
    if not follow:
        api._looks = 5
    lines = list(follow_log(api, "fit-1", follow=follow, sleep=lambda _: None))
    assert lines == ["10: line 0", "10: line 1", "---- attempt 2 ----", "20: line 0", "20: line 1"]


def test_attempts_of_several_hosts_are_told_for_each() -> None:
    api: Any = RestartedJob(holds=True, hosts=2)
    lines = list(follow_log(api, "fit-1", follow=True, sleep=lambda _: None))
    for host in ("[algo-1] ", "[algo-2] "):
        own = [line.removeprefix(host) for line in lines if line.startswith(host)]
        assert own == ["10: line 0", "10: line 1", "---- attempt 2 ----", "20: line 0", "20: line 1"]
