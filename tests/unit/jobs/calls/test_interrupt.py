"""An interrupt gives the prompt back at once, whatever the API does, and no job is forgotten."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from sm_remote.errors import JobNotFound, ServiceUnavailable
from sm_remote.jobs.calls import interrupt
from sm_remote.jobs.calls.interrupt import interrupt_jobs
from sm_remote.jobs.job import Job
from tests.unit.aws.test_requests import SPEC


class FakeConnection:
    """An API and a watcher; ``creation`` and ``stops`` are raised, one after the other."""

    def __init__(self, *, creation: BaseException | None = None, stops: list[Exception] | None = None) -> None:
        self.training_jobs = self.watcher = self
        self.creation = creation
        self.stops = stops or []
        self.answers = threading.Event()
        self.answers.set()
        self.stopped: list[str] = []
        self.watched: list[str] = []

    def create(self, request: Any) -> str:
        if self.creation is not None:
            raise self.creation
        return "arn"

    def stop(self, name: str) -> None:
        assert self.answers.wait(120)
        if self.stops:
            raise self.stops.pop(0)
        self.stopped.append(name)

    def watch(self, name: str, *_: Any) -> None:
        self.watched.append(name)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "_BETWEEN_TRIES_S", 0.0)


def make_job(connection: FakeConnection) -> Job[Any]:
    return Job("nap", connection, spec=SPEC)  # type: ignore[arg-type]


def test_a_job_whose_creation_was_interrupted_is_stopped_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    connection = FakeConnection(creation=KeyboardInterrupt(), stops=[JobNotFound("not yet")])
    nap = make_job(connection)
    with pytest.raises(KeyboardInterrupt):
        nap._submit()
    assert not nap.done()
    interrupt_jobs([nap], "stop")
    assert connection.stopped == connection.watched == ["nap"]
    assert "nap is being stopped" in capsys.readouterr().err


@pytest.mark.slow
def test_a_stop_that_takes_long_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    connection = FakeConnection()
    connection.answers.clear()
    nap = make_job(connection)
    nap._submit()
    began = time.monotonic()
    interrupt_jobs([nap], "stop")
    assert time.monotonic() - began < 60
    assert "nap is being stopped" in capsys.readouterr().err
    connection.answers.set()
    next(thread for thread in threading.enumerate() if thread.name == "sm_remote-stop").join(120)
    assert connection.stopped == ["nap"]


def test_a_stop_that_fails_does_not_hide_the_interrupt(caplog: pytest.LogCaptureFixture) -> None:
    nap = make_job(FakeConnection(stops=[ServiceUnavailable("gone")]))
    nap._submit()
    interrupt_jobs([nap], "stop")
    assert "nap could not be stopped: gone" in caplog.text
