"""Several objects at a time: each download waits mostly for the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

_WORKERS = 16
_WAIT_S = 0.2
_SAY_EVERY_S = 10.0


def run_transfers(
    transfers: Iterable[tuple[str, Path]],
    transfer: Callable[[str, Path], None],
    go_on: Callable[[], None],
    say: Callable[[str], None],
    what: str,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Makes each key a file, several at a time; the first failure ends all that have not begun.

    Args:
        transfers: Keys and files.
        transfer: Makes one key a file.
        go_on: Called again and again; what it raises ends the transfers.
        say: Told how far they are, if they take long.
        what: What is being done, as ``say`` is told.
        clock: Seconds that only grow.
    """
    said = clock()
    done = 0
    running: set[Future[None]] = set()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="transfer") as workers:
        try:
            for key, target in transfers:
                go_on()
                running.add(workers.submit(transfer, key, target))
                while len(running) >= 2 * _WORKERS:
                    done += _collect(running)
                    if clock() - said >= _SAY_EVERY_S:
                        said = clock()
                        say(f"{what}: {done} objects so far")
            while running:
                go_on()
                done += _collect(running)
        finally:
            for future in running:
                future.cancel()


def _collect(running: set[Future[None]]) -> int:
    """Waits a moment for transfers to end; raises what one of them raised. Returns how many did."""
    ended, _ = wait(running, timeout=_WAIT_S, return_when=FIRST_COMPLETED)
    running -= ended
    for future in ended:
        future.result()
    return len(ended)
