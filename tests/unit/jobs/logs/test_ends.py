"""What ended jobs said last: one's log is read, many are searched for at once, and a late line is waited for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.aws.responses import TrainingJobDescription, parse_description
from sm_remote.aws.training_jobs import FoundLine
from sm_remote.errors import SubmitError, Throttled
from sm_remote.jobs.logs.ends import CROWD, LATE_S, MOST_PAGES, SEARCHES, LogEnds
from sm_remote.spec import TrainingJobStatus
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.launch import build_launch
from sm_remote.wire.marker import format_marker

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)


def digest(number: int) -> str:
    return f"{number:064x}"


def marker_of(number: int) -> str:
    return format_marker(BlobRef(digest=digest(number), size_bytes=1), digest(number + 1 << 200))


def describe(number: int, *, status: str = "Completed", ended: datetime = NOW) -> TrainingJobDescription:
    manifest = BlobRef(digest=digest(number + 1 << 200), size_bytes=1)
    return parse_description(
        {
            "TrainingJobName": f"job-{number}",
            "TrainingJobArn": "",
            "TrainingJobStatus": status,
            "SecondaryStatus": status,
            "CreationTime": NOW - timedelta(hours=1),
            "TrainingStartTime": NOW - timedelta(minutes=30),
            "TrainingEndTime": ended,
            "AlgorithmSpecification": {
                "ContainerArguments": build_launch(BlobRef(digest=digest(1), size_bytes=1), manifest)[1]
            },
        }
    )


class Logs:
    """The logs of jobs, as CloudWatch has them: ``late`` looks pass before it has any line."""

    def __init__(self, *, late: int = 0, refusal: Exception | None = None, holds: bool = False) -> None:
        self.session = SimpleNamespace(holds_requests=holds)
        self.late, self.refusal = late, refusal
        self.searches: list[datetime] = []
        self.read: list[str] = []
        self.time_s = 0.0
        self.crowd = threading.Barrier(1)

    def search_logs(self, pattern: str, *, start: datetime, page: str | None) -> tuple[list[FoundLine], str | None]:
        assert pattern == '"sm_remote outcome"'
        self.searches.append(start)
        if self.refusal is not None:
            raise self.refusal
        self.late -= 1
        numbers = range(20) if self.late < 0 else range(0)
        half = [number for number in numbers if number % 2 == (page is not None)]
        lines = [FoundLine(stream=f"job-{number}/algo-1-9", text=marker_of(number)) for number in half]
        others = [FoundLine(stream=f"job-{number}/algo-2-9", text="sm_remote outcome of others") for number in half]
        return [*lines, *others], "second" if page is None else None

    def list_log_streams(self, name: str) -> list[str]:
        return [f"{name}/algo-1-9"]

    def read_log(self, stream: str, **_: Any) -> Any:
        self.read.append(stream)
        self.late -= 1
        return SimpleNamespace(lines=[marker_of(int(stream[4:].partition("/")[0]))] if self.late < 0 else ["a line"])

    def sleep(self, pause_s: float) -> None:
        self.time_s += pause_s

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.time_s)


def open_ends(logs: Logs) -> LogEnds:
    return LogEnds(logs, sleep=logs.sleep, now=logs.now)  # type: ignore[arg-type]


def read_together(ends: LogEnds, count: int, **described: Any) -> list[list[str]]:
    """Reads so many at once: none begins before all ask."""
    descriptions = [describe(number, **described) for number in range(count)]
    together = threading.Barrier(count)
    first = ends._read

    def read(end: TrainingJobDescription) -> list[str]:
        together.wait(120)
        return first(end)

    ends._read = read  # type: ignore[method-assign]
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(ends.read, descriptions))


def test_one_job_has_its_own_log_read() -> None:
    logs = Logs()
    assert open_ends(logs).read(describe(3)) == [marker_of(3)]
    assert (logs.read, logs.searches) == (["job-3/algo-1-9"], [])


def test_many_jobs_are_searched_for_together() -> None:
    logs = Logs()
    assert read_together(open_ends(logs), 20) == [[marker_of(number)] for number in range(20)]
    assert len(logs.read) <= CROWD  # the last ones are no crowd any more
    assert len(logs.searches) < 20
    assert logs.searches[0] == NOW - timedelta(minutes=1)


def test_a_line_that_comes_late_is_waited_for() -> None:
    logs = Logs(late=7)
    assert open_ends(logs).read(describe(3)) == [marker_of(3)]
    assert logs.time_s == 7


def test_a_line_that_never_comes_is_given_up() -> None:
    logs = Logs(late=10**6)
    assert open_ends(logs).read(describe(3)) == ["a line"]
    assert logs.time_s == LATE_S[TrainingJobStatus.COMPLETED]
    assert open_ends(logs).read(describe(3, status="Failed", ended=NOW + timedelta(minutes=1))) == ["a line"]
    assert logs.time_s == 60 + LATE_S[TrainingJobStatus.FAILED]


def test_an_old_job_and_one_of_the_local_service_are_not_waited_for() -> None:
    logs = Logs(late=10**6)
    open_ends(logs).read(describe(3, ended=NOW - timedelta(days=1)))
    local = Logs(late=10**6, holds=True)
    open_ends(local).read(describe(3))
    assert logs.time_s == local.time_s == 0


@pytest.mark.parametrize("refusal", [SubmitError("AccessDeniedException"), Throttled("slower")])
def test_where_logs_cannot_be_searched_each_is_read(refusal: Exception) -> None:
    logs = Logs(refusal=refusal)
    assert read_together(open_ends(logs), 8) == [[marker_of(number)] for number in range(8)]
    assert sorted(logs.read) == sorted(f"job-{number}/algo-1-9" for number in range(8))
    assert len(logs.searches) <= (1 if isinstance(refusal, SubmitError) else 8 * SEARCHES)


def test_where_too_much_else_is_logged_each_log_is_read() -> None:
    class Busy(Logs):
        def search_logs(self, pattern: str, *, start: datetime, page: str | None) -> Any:
            super().search_logs(pattern, start=start, page=page)
            return [], "more"

    logs = Busy()
    assert read_together(open_ends(logs), 8) == [[marker_of(number)] for number in range(8)]
    assert len(logs.read) == 8
    assert len(logs.searches) == MOST_PAGES


def test_a_line_of_another_manifest_is_not_taken_for_the_job_s() -> None:
    class Forged(Logs):
        def search_logs(self, pattern: str, *, start: datetime, page: str | None) -> Any:
            super().search_logs(pattern, start=start, page=page)
            return [FoundLine(stream=f"job-{number}/algo-1-9", text=marker_of(99)) for number in range(8)], None

    logs = Forged()
    assert read_together(open_ends(logs), 8) == [[marker_of(number)] for number in range(8)]
    assert len(logs.read) == 8
