"""A job is awaited as it is waited for: giving up leaves it as it is."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from sm_remote.jobs.job import Job
from sm_remote.spec import TrainingJobStatus


class Untouchable:
    """A connection that must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was used")


def test_a_job_that_is_awaited_gives_its_value() -> None:
    job: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]

    async def main() -> int:
        threading.Timer(0.01, job.set_result, [7]).start()
        return await job

    assert asyncio.run(main()) == 7


def test_a_job_that_is_awaited_too_long_goes_on() -> None:
    job: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]

    async def main() -> int:
        return await asyncio.wait_for(job, 0.01)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    assert not job.done()
    job.set_result(7)  # the loop is closed, which is nobody's trouble
    assert job.result() == 7


class StoppingJobs:
    """An API whose jobs are being stopped."""

    status = TrainingJobStatus.STOPPING

    def __init__(self) -> None:
        self.training_jobs = self
        self.stops = 0

    def describe(self, name: str) -> StoppingJobs:
        return self

    def stop(self, name: str) -> None:
        self.stops += 1


def test_a_cancel_of_a_job_that_is_being_stopped_has_no_effect() -> None:
    api = StoppingJobs()
    job: Job[int] = Job("nap", api)  # type: ignore[arg-type]
    assert not job.cancel()
    assert api.stops == 0
    job.stop()
    assert api.stops == 1
