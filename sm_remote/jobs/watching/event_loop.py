"""Runs what blocks beside an event loop, each call in a thread of its own.

Not asyncio's default executor: it has few threads, so of many jobs only some would be waited for at a time, and the
end of ``asyncio.run`` waits for them all, even after an interrupt.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    import asyncio

P = ParamSpec("P")
T = TypeVar("T")

TICK_S = 0.25


async def run_in_thread(func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns what a blocking function returns; whoever cancels the waiting leaves the function running."""
    import asyncio  # takes a tenth of a second, and only who awaits needs it

    context = contextvars.copy_context()
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(context.run(func, *args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            done.set_exception(error)

    threading.Thread(target=run, name="sm_remote-call", daemon=True).start()
    return await wait_awake(asyncio.wrap_future(done))


async def wait_awake(future: asyncio.Future[T]) -> T:
    """Awaits a future while the loop keeps turning: a notebook's interrupt cancels its cell without waking the loop."""
    import asyncio

    try:
        while not future.done():
            await asyncio.wait({future}, timeout=TICK_S)
    except asyncio.CancelledError:
        future.cancel()
        raise
    return future.result()
