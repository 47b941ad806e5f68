"""What blocks runs beside the event loop: as many at once as there are, and none keeps the loop from ending."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from sm_remote.jobs.watching.event_loop import run_in_thread


def test_all_calls_run_at_once() -> None:
    barrier = threading.Barrier(50)

    async def main() -> list[int]:
        return await asyncio.gather(*(run_in_thread(barrier.wait, 10) for _ in range(50)))

    assert sorted(asyncio.run(main())) == list(range(50))


def test_what_is_given_up_is_not_waited_for() -> None:
    release = threading.Event()

    async def main() -> None:
        await asyncio.wait_for(run_in_thread(release.wait, 120), 0.05)

    began = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    assert time.monotonic() - began < 60
    release.set()


def test_an_exception_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run_in_thread(divmod, 1, 0))


def test_a_cancellation_that_does_not_wake_the_loop_is_noticed() -> None:
    """A notebook's interrupt runs in the loop's thread while the loop sleeps; a signal's handler does the same here."""

    async def main() -> None:
        task = asyncio.ensure_future(run_in_thread(release.wait, 120))
        signal.signal(signal.SIGALRM, lambda *_: task.cancel())
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        await task

    release = threading.Event()
    began = time.monotonic()
    before = signal.getsignal(signal.SIGALRM)
    try:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())
    finally:
        signal.signal(signal.SIGALRM, before)
        release.set()
    assert time.monotonic() - began < 60
