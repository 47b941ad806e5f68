"""The log of a job, as a caller who waits sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.aws.responses import TrainingJobDescription, TrainingJobSummary, parse_description
from sm_remote.aws.sightings import Sightings
from sm_remote.aws.training_jobs import LogPage
from sm_remote.errors import CredentialsExpired, ServiceUnavailable, Throttled
from sm_remote.jobs.logs.job_log import follow_log
from sm_remote.spec import TrainingJobStatus
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.launch import build_launch
from sm_remote.wire.marker import format_marker
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
        self.sightings = Sightings()
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


MANIFEST = "ab" * 32
ARGUMENTS = build_launch(BlobRef(digest="cd" * 32, size_bytes=1), BlobRef(digest=MANIFEST, size_bytes=1))[1]
MARKER = format_marker(BlobRef(digest="ef" * 32, size_bytes=1), MANIFEST)


class CloudWatchLogs:
    """`TrainingJobs` for a job on SageMaker: each host's events by their moments, two a page, and trouble now and then.

    Tokens are as CloudWatch's: that of a page is answered with the next one, and with itself where nothing follows.
    """

    def __init__(self, hosts: dict[str, list[tuple[int, str]]], trouble: dict[int, Exception]) -> None:
        self.session = SimpleNamespace(holds_requests=False)
        self.sightings = Sightings()
        self._hosts, self._trouble = hosts, trouble
        self.described = self.calls = 0
        self.slept_s = 0.0

    def sleep(self, pause_s: float) -> None:
        self.slept_s += pause_s

    def clock(self) -> float:
        return self.slept_s

    def _fail_sometimes(self) -> None:
        self.calls += 1
        if self.calls in self._trouble:
            raise self._trouble[self.calls]

    def describe(self, name: str, **_: Any) -> TrainingJobDescription:
        self.described += 1
        status = "InProgress" if self.described < 4 else "Completed"
        answer = build_answer(name, status) | {"ResourceConfig": {"InstanceCount": len(self._hosts)}}
        return parse_description(answer | {"AlgorithmSpecification": {"ContainerArguments": ARGUMENTS}})

    def list_log_streams(self, job_name: str) -> list[str]:
        self._fail_sometimes()
        return [f"{job_name}/{host}-10" for host in self._hosts]

    def read_log(self, stream: str, *, token: str | None = None, **_: Any) -> LogPage:
        self._fail_sometimes()
        host = stream.rpartition("/")[2].rpartition("-")[0]
        start = int(token or 0)
        events = self._hosts[host][start : start + 2]
        return LogPage(
            lines=[line for _, line in events],
            times_ms=[moment for moment, _ in events],
            forward=str(start + len(events)),
            backward="b",
            closed=False,
        )


TWO_HOSTS = {
    "algo-1": [(1, "a"), (4, "b"), (5, "c"), (9, "d"), (10, "e")],
    "algo-2": [(2, "x"), (3, "y"), (6, "z")],
}
MERGED = [
    "[algo-1] a",
    "[algo-2] x",
    "[algo-2] y",
    "[algo-1] b",
    "[algo-1] c",
    "[algo-2] z",
    "[algo-1] d",
    "[algo-1] e",
]


def test_lines_of_several_hosts_come_in_the_order_of_their_moments() -> None:
    api: Any = CloudWatchLogs(TWO_HOSTS, {})
    assert list(follow_log(api, "fit-1", follow=True, sleep=api.sleep, clock=api.clock)) == MERGED
    assert list(follow_log(api, "fit-1", follow=False, sleep=api.sleep, clock=api.clock)) == MERGED


@pytest.mark.parametrize("error", [Throttled("slow down"), ServiceUnavailable("the connection was lost")])
def test_each_line_comes_once_whatever_call_is_throttled_or_lost(error: Exception) -> None:
    for number in range(1, 15):
        api: Any = CloudWatchLogs(TWO_HOSTS, dict.fromkeys(range(number, number + 2), error))
        assert list(follow_log(api, "fit-1", follow=True, sleep=api.sleep, clock=api.clock)) == MERGED, number


def test_throttling_is_no_error_of_a_log_that_is_read_once() -> None:
    api: Any = CloudWatchLogs(TWO_HOSTS, {2: Throttled("slow down")})
    assert list(follow_log(api, "fit-1", follow=False, sleep=api.sleep, clock=api.clock)) == MERGED


def test_expired_credentials_end_the_following_with_what_to_do() -> None:
    api: Any = CloudWatchLogs(TWO_HOSTS, {3: CredentialsExpired("The AWS credentials have expired.")})
    with pytest.raises(CredentialsExpired):
        list(follow_log(api, "fit-1", follow=True, sleep=api.sleep, clock=api.clock))


def test_behind_the_line_that_names_the_outcome_no_other_is_waited_for() -> None:
    said = [(1, "one"), (2, "two"), (3, MARKER)]
    api: Any = CloudWatchLogs({"algo-1": said}, {})
    assert list(follow_log(api, "fit-1", follow=True, sleep=api.sleep, clock=api.clock)) == ["one", "two"]
    told_s, unsaid = api.slept_s, CloudWatchLogs({"algo-1": said[:2]}, {})
    api = unsaid
    assert list(follow_log(api, "fit-1", follow=True, sleep=api.sleep, clock=api.clock)) == ["one", "two"]
    assert unsaid.slept_s > told_s + 5


def test_a_job_is_described_again_only_when_the_list_tells_of_a_change() -> None:
    api: Any = CloudWatchLogs({"algo-1": [(1, "one"), (2, MARKER)]}, {})
    api.sightings = Sightings(api.clock)
    modified = datetime(2026, 11, 21, tzinfo=timezone.utc)
    row = TrainingJobSummary(
        name="fit-1", arn="", status=TrainingJobStatus.IN_PROGRESS, creation_time=modified, end_time=None
    )
    described: list[float] = []

    def sleep(pause_s: float) -> None:
        api.sleep(pause_s)
        described.append(api.described)
        api.sightings.note([replace(row, modified_time=modified + timedelta(seconds=api.slept_s // 10))])
        api.sightings.note_look()

    describe = api.describe

    def describe_as_modified(name: str, **_: Any) -> TrainingJobDescription:
        return replace(describe(name), modified_time=modified + timedelta(seconds=api.slept_s // 10))

    api.describe = describe_as_modified
    assert list(follow_log(api, "fit-1", follow=True, sleep=sleep, clock=api.clock)) == ["one"]
    assert api.described == 4
    assert len(described) >= 15
