"""One thread watches every job, and its calls do not grow with their number."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import Any

import pytest

from sm_remote.aws.responses import TrainingJobSummary, parse_description
from sm_remote.errors import JobNotFound, ServiceUnavailable
from sm_remote.jobs.watching.watcher import Watcher
from sm_remote.spec import TrainingJobStatus

CREATED = datetime(2026, 11, 21, tzinfo=timezone.utc)


class FakeTrainingJobs:
    """An API whose jobs end when they are told to; ListTrainingJobs is held until something changed."""

    def __init__(self, names: list[str]) -> None:
        self.states = dict.fromkeys(names, "InProgress")
        self.version = 1
        self.changed = threading.Condition()
        self.lists = 0
        self.describes = 0
        self.trouble: list[Exception] = []

    def end(self, *names: str, state: str = "Completed") -> None:
        with self.changed:
            self.states.update(dict.fromkeys(names, state))
            self.version += 1
            self.changed.notify_all()

    def delete(self, name: str) -> None:
        with self.changed:
            del self.states[name]
            self.version += 1
            self.changed.notify_all()

    def list_page(self, *, wait_s: float, seen: int, page: str | None, **_: Any) -> tuple[list[Any], str | None, int]:
        with self.changed:
            self.lists += 1
            if self.trouble:
                raise self.trouble.pop()
            self.changed.wait_for(lambda: self.version > seen, timeout=wait_s)
            names = sorted(self.states)
            start = int(page or 0)
            rows = [
                TrainingJobSummary(
                    name=name,
                    arn="",
                    status=TrainingJobStatus(self.states[name]),
                    creation_time=CREATED,
                    end_time=None,
                )
                for name in names[start : start + 10]
            ]
            return rows, str(start + 10) if start + 10 < len(names) else None, self.version

    def describe(self, name: str) -> Any:
        self.describes += 1
        if name not in self.states:
            raise JobNotFound(f"no {name}")
        return parse_description(
            {
                "TrainingJobName": name,
                "TrainingJobArn": "",
                "TrainingJobStatus": self.states[name],
                "SecondaryStatus": "Completed" if self.states[name] == "Completed" else "Training",
                "CreationTime": CREATED,
            }
        )


def watch(api: FakeTrainingJobs, names: list[str]) -> tuple[Watcher, dict[str, Any], threading.Event]:
    # Pauses are cut short, not left out: what comes within one is looked at together.
    watcher = Watcher(api, holds_requests=True, sleep=lambda s: time.sleep(min(s, 0.05)))  # type: ignore[arg-type]
    ends: dict[str, Any] = {}
    all_ended = threading.Event()

    def record(name: str) -> Any:
        def on_end(end: Any) -> None:
            ends[name] = end
            if len(ends) == len(names):
                all_ended.set()

        return on_end

    for name in names:
        watcher.watch(name, CREATED, record(name))
    return watcher, ends, all_ended


def test_each_end_is_told_once() -> None:
    api = FakeTrainingJobs(["a", "b"])
    _, ends, done = watch(api, ["a", "b"])
    api.end("a")
    api.end("b", state="Stopped")
    assert done.wait(120)
    assert (ends["a"].status, ends["b"].status) == ("Completed", "Stopped")
    assert api.describes == 2


@pytest.mark.parametrize("count", [1, 35])
def test_calls_do_not_grow_with_the_number_of_jobs(count: int) -> None:
    names = [f"job-{number:03}" for number in range(count)]
    api = FakeTrainingJobs(names)
    _, _, done = watch(api, names)
    api.end(*names)
    assert done.wait(120)
    pages = -(-count // 10)
    assert api.lists <= 4 * pages
    assert api.describes == count


def test_a_deleted_job_ends_as_not_found() -> None:
    api = FakeTrainingJobs(["a", "b"])
    _, ends, done = watch(api, ["a", "b"])
    api.delete("a")
    api.end("b")
    assert done.wait(120)
    assert isinstance(ends["a"], JobNotFound)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [ServiceUnavailable("gone for a moment"), ValueError("an answer that is none")])
def test_trouble_with_the_api_ends_no_job(trouble: Exception, caplog: pytest.LogCaptureFixture) -> None:
    api = FakeTrainingJobs(["a"])
    api.trouble = [trouble] * 5
    _, ends, done = watch(api, ["a"])
    api.end("a")
    assert done.wait(120)
    assert ends["a"].status == "Completed"
    assert "does not answer" in caplog.text


def test_an_end_that_cannot_be_told_yet_is_told_later() -> None:
    api = FakeTrainingJobs(["a", "b"])
    watcher = Watcher(api, holds_requests=True, sleep=lambda s: None)  # type: ignore[arg-type]
    told: list[str] = []
    refusals = [RuntimeError("can't start new thread")]

    def tell_a(end: Any) -> None:
        if refusals:
            raise refusals.pop()
        told.append("a")

    watcher.add("a", CREATED, tell_a)
    watcher.add("a", CREATED, lambda end: told.append("also a"))
    watcher.add("b", CREATED, lambda end: told.append("b"))
    api.end("a", "b")
    while watcher.step() is not None:
        pass
    assert sorted(told) == ["a", "also a", "b"]


def test_what_one_listener_raises_costs_no_other_job_its_end() -> None:
    api = FakeTrainingJobs(["a", "b"])
    told: list[str] = []

    class Rows:
        """A list whose rows tell who has completed."""

        is_asked_again_and_again = True
        looks = 0

        def look(self, names: set[str], oldest: datetime) -> dict[str, Any]:
            self.looks += 1
            rows, _, _ = api.list_page(wait_s=0.0, seen=0, page=None)
            return {row.name: row for row in rows} if self.looks == 1 else {}

        def find_pause_s(self, count: int) -> float:
            return 1.0

        def note_newcomer(self) -> None:
            pass

    def refuse(row: TrainingJobSummary) -> bool:
        raise RuntimeError("can't start new thread")

    watcher = Watcher(api, holds_requests=False, sleep=lambda s: None, jobs=Rows())  # type: ignore[arg-type]
    for name in ("a", "b"):
        watcher.add(name, CREATED, lambda end, name=name: told.append(name), on_completed=refuse)  # type: ignore[misc]
    api.end("a", "b")
    while watcher.step() is not None:
        pass
    assert sorted(told) == ["a", "b"]
