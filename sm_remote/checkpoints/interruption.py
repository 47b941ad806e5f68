"""The notice of an interruption: SIGTERM, after which SageMaker waits for a while before it kills.

Source: SageMaker Developer Guide, "How Amazon SageMaker Runs Your Training Image": SIGTERM, and SIGKILL 120 seconds
later. Whether a spot interruption gives the same notice is not documented; where it gives none, nothing is noticed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

GRACE_S = 120.0
GRACE_VARIABLE = "SM_REMOTE_STOP_GRACE_S"


class Notice:
    """Whether this process has been told to end, and when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noticed_at: float | None = None
        self._listeners = 0
        self._before: Any = None

    @property
    def given(self) -> bool:
        """Whether SIGTERM has come."""
        return self._noticed_at is not None

    @property
    def grace_left_s(self) -> float | None:
        """Seconds until the process is killed; None before the notice."""
        if self._noticed_at is None:
            return None
        return max(0.0, read_grace_s() - (self._clock() - self._noticed_at))

    def listen(self) -> bool:
        """Takes SIGTERM from now on; whether it can: Python lets only the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return False
        if self._listeners == 0:
            self._before = signal.signal(signal.SIGTERM, self._note)
        self._listeners += 1
        return True

    def leave(self, *, deliver: bool) -> None:
        """Gives SIGTERM back to whoever had it; with the last listener, and where it is wanted, delivers it to them."""
        self._listeners -= 1
        if self._listeners:
            return
        if signal.getsignal(signal.SIGTERM) == self._note:  # else somebody has put their own in the meantime
            signal.signal(signal.SIGTERM, signal.SIG_DFL if self._before is None else self._before)
        if deliver and self.given and self._before == signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._noticed_at is None:
            self._noticed_at = self._clock()
        if callable(self._before):
            self._before(number, frame)


NOTICE = Notice()
"""This process's."""


def read_grace_s() -> float:
    """How long SageMaker waits between SIGTERM and SIGKILL; the local service may be told another time."""
    try:
        return float(os.environ.get(GRACE_VARIABLE, GRACE_S))
    except ValueError:
        return GRACE_S
