"""Many jobs at once: what cannot be sent has failed like any other, and a limit lets at least one run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from sm_remote import remote
from sm_remote.errors import CaptureError, ConfigError
from sm_remote.jobs.calls.many import run_many


class FakeJobs:
    """Makes jobs that have ended with twice their item; the item "bad" cannot be sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def create(self, args: tuple[Any, ...]) -> Any:
        if args[0] == "bad":
            raise CaptureError("it cannot be pickled")
        self.sent.append(args[0])
        job: Future[Any] = Future()
        job.set_result(args[0] * 2)
        return job


def run(jobs: FakeJobs, items: list[Any], *, return_exceptions: bool = False) -> list[Any]:
    return run_many(
        jobs.create,
        [(item,) for item in items],
        total=len(items),
        title="double",
        limit=2,
        return_exceptions=return_exceptions,
        on_interrupt="stop",
    )


def test_an_item_that_cannot_be_sent_is_named_and_ends_the_submitting() -> None:
    jobs = FakeJobs()
    with pytest.raises(CaptureError) as caught:
        run(jobs, [1, "bad", 3, 4])
    assert caught.value.__notes__ == ["Item 1 failed (it could not be sent); 1 of 2 submitted succeeded."]
    assert jobs.sent == [1]


def test_an_item_that_cannot_be_sent_takes_its_place_among_returned_exceptions() -> None:
    first, second, third = run(FakeJobs(), [1, "bad", 3], return_exceptions=True)
    assert (first, third) == (2, 6)
    assert isinstance(second, CaptureError)


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_items_that_end_with_an_error_let_running_jobs_finish_first(return_exceptions: bool) -> None:
    running: Future[Any] = Future()

    def items() -> Iterator[tuple[Any, ...]]:
        yield (1,)
        threading.Timer(0.05, running.set_result, [2]).start()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone") as caught:
        run_many(
            lambda args: running,  # type: ignore[arg-type, return-value]
            items(),
            total=None,
            title="double",
            limit=2,
            return_exceptions=return_exceptions,
            on_interrupt="stop",
        )
    assert running.done()
    assert caught.value.__notes__ == ["The items ended with this after 1; 1 of 1 submitted succeeded."]


def test_a_map_that_could_run_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_parallel_jobs is 0"):
        remote(pow).map([1], [2], max_parallel_jobs=0)
    with pytest.raises(TypeError, match="at least one iterable"):
        remote(pow).map()
