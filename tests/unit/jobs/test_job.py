"""A job is awaited as it is waited for: giving up leaves it as it is."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timezone
from typing import Any

import pytest

from sm_remote.aws.responses import TrainingJobSummary
from sm_remote.jobs.job import Job, Phase
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


def test_a_job_shows_what_is_known_of_it_without_asking() -> None:
    job: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]
    assert repr(job) == "<Job nap: live>"
    job.set_result(7)
    assert repr(job) == "<Job nap: has a value>"
    failed: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]
    failed.set_exception(ValueError("bad row"))
    assert repr(failed) == "<Job nap: ended with ValueError>"


def test_phases_and_rows_of_a_list_fit_a_line() -> None:
    moment = datetime(2026, 11, 21, 8, 30, tzinfo=timezone.utc)
    phase = Phase(name="Training", start=moment, duration_s=1.234, message="Training in progress.")
    row = TrainingJobSummary(
        name="nap", arn="arn:aws:...", status=TrainingJobStatus.STOPPED, creation_time=moment, end_time=None
    )
    assert repr([phase]) == "[<Phase Training: 1.23 s from 08:30:00>]"
    assert repr([row]) == "[<TrainingJobSummary nap: Stopped, created 2026-11-21 08:30:00>]"
