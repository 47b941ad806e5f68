"""An executor's map keeps the rule of a function's own: after a failure nothing is submitted or stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sm_remote import RemoteExecutor
from sm_remote.jobs.job import Job


class Unstoppable:
    """A connection over which no job may be stopped."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was used")


class FakeJob(Job[int]):
    """Is live once it was submitted; the test says how it ends."""

    def __init__(self, name: str) -> None:
        super().__init__(name, Unstoppable())  # type: ignore[arg-type]
        self._submitted = False

    def _submit(self) -> None:
        self._submitted = self.set_running_or_notify_cancel()


class FakeExecutor(RemoteExecutor):
    """Two at a time."""

    def __init__(self) -> None:
        super().__init__(max_parallel_jobs=2)
        self.jobs: list[FakeJob] = []

    def _create(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.jobs.append(FakeJob(f"job-{args[0]}"))
        return self.jobs[-1]

    def states(self) -> list[str]:
        return ["withdrawn" if job.cancelled() else "submitted" if job._submitted else "waits" for job in self.jobs]


def test_values_come_in_the_order_of_their_items() -> None:
    executor = FakeExecutor()
    values = executor.map(abs, [1, 2])
    executor.jobs[1].set_result(2)
    executor.jobs[0].set_result(1)
    assert list(values) == [1, 2]


def test_a_failure_withdraws_what_waits_and_leaves_what_runs() -> None:
    executor = FakeExecutor()
    values = executor.map(abs, [1, 2, 3, 4])
    executor.jobs[0].set_exception(ValueError("bad row"))
    with pytest.raises(ValueError, match="bad row"):
        next(values)
    assert executor.states() == ["submitted", "submitted", "withdrawn", "withdrawn"]
    assert not executor.jobs[1].done()


def test_a_loop_that_is_left_withdraws_what_waits_and_leaves_what_runs() -> None:
    executor = FakeExecutor()
    values = executor.map(abs, [1, 2, 3, 4], timeout=120)
    executor.jobs[0].set_result(1)
    assert next(values) == 1
    values.close()  # type: ignore[attr-defined]
    assert executor.states()[1] == "submitted"
    assert not executor.jobs[1].done()
    assert executor.states()[3] == "withdrawn"


def test_a_time_that_runs_out_stops_no_live_job() -> None:
    executor = FakeExecutor()
    with pytest.raises(TimeoutError):
        list(executor.map(abs, [1, 2, 3], timeout=0.01))
    assert executor.states() == ["submitted", "submitted", "withdrawn"]
    assert not executor.jobs[0].done()


def test_items_that_end_with_an_error_of_their_own_leave_what_runs() -> None:
    executor = FakeExecutor()

    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        executor.map(abs, items())
    assert executor.states() == ["submitted", "submitted", "withdrawn"]


def test_a_shutdown_that_cancels_withdraws_and_stops_nothing() -> None:
    executor = FakeExecutor()
    executor.map(abs, [1, 2, 3])
    executor.shutdown(wait=False, cancel_futures=True)
    assert executor.states() == ["submitted", "submitted", "withdrawn"]
