"""A job is awaited as it is waited for: giving up leaves it as it is."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from sm_remote.jobs.job import Job


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
