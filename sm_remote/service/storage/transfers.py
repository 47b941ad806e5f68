"""Objects that become files, several at a time where the network is what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

_WORKERS = 16
_WAIT_S = 0.2
_SAY_EVERY_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """One object that is to become a file.

    Attributes:
        run: Makes it one.
        is_remote: Whether that waits for the network; a link is made faster than a thread is told to make it.
    """

    run: Callable[[], None]
    is_remote: bool


def run_transfers(
    transfers: Iterable[Transfer],
    go_on: Callable[[], None],
    say: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Runs all transfers; the first failure ends all that have not begun, and is raised.

    Args:
        transfers: Asked for one after the other, in the caller's thread.
        go_on: Called before each one and while they are waited for; what it raises ends the transfers.
        say: Told how far they are, if they take long.
        clock: Seconds that only grow.
    """
    _Run(go_on, say, clock).run(transfers)


class _Run:
    def __init__(self, go_on: Callable[[], None], say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._go_on = go_on
        self._say = say
        self._clock = clock
        self._said = clock()
        self._done = 0
        self._running: set[Future[None]] = set()

    def run(self, transfers: Iterable[Transfer]) -> None:
        # Its threads are only made when something is submitted.
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="transfer") as workers:
            try:
                for transfer in transfers:
                    self._go_on()
                    self._start(transfer, workers)
                    self._report()
                while self._running:
                    self._go_on()
                    self._collect()
                    self._report()
            finally:
                for future in self._running:
                    future.cancel()

    def _start(self, transfer: Transfer, workers: ThreadPoolExecutor) -> None:
        if not transfer.is_remote:
            transfer.run()
            self._done += 1
            return
        self._running.add(workers.submit(transfer.run))
        # Some are kept waiting so that no worker ever does; more would only take memory.
        while len(self._running) >= 4 * _WORKERS:
            self._go_on()
            self._collect()

    def _collect(self) -> None:
        """Waits a moment for transfers to end; raises what one of them raised."""
        ended, _ = wait(self._running, timeout=_WAIT_S, return_when=FIRST_COMPLETED)
        self._running -= ended
        self._done += len(ended)
        for future in ended:
            future.result()

    def _report(self) -> None:
        if self._clock() - self._said >= _SAY_EVERY_S:
            self._said = self._clock()
            self._say(f"{self._done} objects so far")
