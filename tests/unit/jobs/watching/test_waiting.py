"""Whoever waits for a job is told when its credentials have expired, and waits on once they are renewed."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from sm_remote.errors import CredentialsExpired, ServiceUnavailable
from sm_remote.jobs.job import Job
from tests.fakes.service import wait_until
from tests.unit.jobs.test_job import Ended


class Refreshable(Ended):
    """An ended job whose connection has credentials that expire."""

    def __init__(self, directory: Path, **trouble: Any) -> None:
        super().__init__(directory, [], **trouble)
        self.watcher = self.alarm = self
        self.hurried = self.renewed = 0
        self.again: list[Any] = []
        self.watched: list[tuple[str, Any, Any]] = []
        self.creation: Exception | None = None

    def create(self, request: Any) -> str:
        if self.creation is not None:
            raise self.creation
        return "arn"

    def watch(self, name: str, created: Any, on_end: Any, on_trouble: Any, _: Any) -> None:
        self.watched.append((name, on_end, on_trouble))

    def hurry(self) -> None:
        self.hurried += 1

    def renew_credentials(self) -> None:
        self.renewed += 1

    def call_after(self, seconds: float, look: Any) -> None:
        self.again.append(look)


def expired() -> CredentialsExpired:
    return CredentialsExpired("The AWS credentials have expired.", why="ExpiredTokenException: it is expired")


def start(connection: Refreshable) -> Job[int]:
    job: Job[int] = Job("nap", connection)  # type: ignore[arg-type]
    job.set_running_or_notify_cancel()
    return job


def interrupt_soon(job: Job[int]) -> None:
    threading.Timer(0.02, job._interrupt, [expired()]).start()


def test_result_is_interrupted_and_goes_on_with_the_same_job(tmp_path: Path) -> None:
    connection = Refreshable(tmp_path)
    job = start(connection)
    interrupt_soon(job)
    with pytest.raises(CredentialsExpired, match="attach\\('nap'\\)") as caught:
        job.result()
    assert "ExpiredTokenException" in caught.value.why
    assert not job.done()
    assert connection.hurried == 0
    threading.Timer(0.02, job.set_result, [7]).start()
    assert job.result() == 7
    assert connection.hurried == 1  # whoever waits anew has the credentials looked at again


def test_several_who_wait_are_each_told(tmp_path: Path) -> None:
    job, told = start(Refreshable(tmp_path)), []

    def wait() -> None:
        try:
            job.result(120)
        except CredentialsExpired as error:
            told.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        job._interrupt(expired())
    assert len(set(map(id, told))) == 3


def test_who_awaits_a_job_is_told_too(tmp_path: Path) -> None:
    job = start(Refreshable(tmp_path))

    async def main() -> int:
        interrupt_soon(job)
        with pytest.raises(CredentialsExpired):
            await job
        threading.Timer(0.02, job.set_result, [7]).start()
        return await job

    assert asyncio.run(main()) == 7


def test_an_outcome_that_the_credentials_no_longer_reach_is_fetched_with_new_ones(tmp_path: Path) -> None:
    connection = Refreshable(tmp_path, api_trouble=[expired()])
    job: Job[int] = Job("nap", connection)  # type: ignore[arg-type]
    job._attach(connection.describe("nap"))
    wait_until(lambda: connection.again)
    assert not job.done()
    assert connection.renewed == 1
    connection.again.pop()()
    assert job.result(120) == 42


@pytest.mark.parametrize("may_exist", [True, False])
def test_a_job_that_may_have_been_created_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_exist: bool
) -> None:
    monkeypatch.setattr("sm_remote.jobs.job.build_create_training_job", lambda spec: {"ResourceConfig": {}})
    connection = Refreshable(tmp_path)
    connection.creation = ServiceUnavailable("The answer was lost.", may_exist=may_exist)
    spec: Any = type("Spec", (), {"environment": {}, "spot": None})()
    job: Job[int] = Job("nap", connection, spec=spec)  # type: ignore[arg-type]
    with pytest.raises(ServiceUnavailable):
        job._submit()
    assert job.done() is not may_exist
    assert [name for name, _, _ in connection.watched] == ["nap"] * may_exist
