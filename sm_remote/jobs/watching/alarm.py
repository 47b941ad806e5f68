"""Calls functions at given moments, all of them from one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("sm_remote")

Look = Callable[[], "float | None"]
"""Returns after how many seconds it wants to be called again; None for never."""


class Alarm:
    """One thread for any number of moments. It starts with the first, and goes when none is left.

    Args:
        clock: Seconds that never go back; passed in by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._queue: list[tuple[float, int, Look]] = []
        self._numbers = itertools.count()
        self._runs = False

    def call_after(self, seconds: float, look: Look) -> None:
        """Calls a function after so many seconds; what it raises is logged."""
        with self._changed:
            heapq.heappush(self._queue, (self._clock() + max(0.0, seconds), next(self._numbers), look))
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="sm_remote-alarm", daemon=True).start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    self._runs = False
                    return
                left_s = self._queue[0][0] - self._clock()
                if left_s > 0:
                    self._changed.wait(left_s)
                    continue
                _, _, look = heapq.heappop(self._queue)
            try:
                again_s = look()
            except Exception:  # the other moments must come all the same
                logger.debug("A look at a job failed.", exc_info=True)
                continue
            if again_s is not None:
                self.call_after(again_s, look)
