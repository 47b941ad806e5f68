"""Follows a file to which a process appends its output, line by line, until the process has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MAX_LINE_BYTES = 256 * 1024

_CHUNK_BYTES = 64 * 1024
_PAUSES_S = ((2.0, 0.002), (30.0, 0.01))
"""How long after the last output to look how often; after that, `_IDLE_PAUSE_S`."""
_IDLE_PAUSE_S = 0.025


def tail_lines(
    path: Path,
    has_ended: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[tuple[int, bytes]]:
    """Yields (milliseconds since the epoch, line) from the file's first line on.

    A line bears the time at which it was seen; those that are there already, the time of the file's last change.
    """
    with open(path, "rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        pending = bytearray()
        quiet_since = monotonic()
        ended = False
        while True:
            chunk = file.read(_CHUNK_BYTES)
            if chunk:
                old = file.tell() <= before.st_size
                at_ms = int((before.st_mtime if old else clock()) * 1000)
                pending += chunk
                for line in _take_lines(pending):
                    yield at_ms, line
                quiet_since = monotonic()
            elif ended:
                break
            else:
                # One more read after the end: the last words may have come since.
                ended = has_ended()
                if not ended:
                    sleep(_choose_pause(monotonic() - quiet_since))
        if pending:
            yield int(clock() * 1000), bytes(pending)


def _take_lines(pending: bytearray) -> Iterator[bytes]:
    while (end := pending.find(b"\n", 0, MAX_LINE_BYTES)) >= 0 or len(pending) >= MAX_LINE_BYTES:
        yield bytes(pending[: end if end >= 0 else MAX_LINE_BYTES])
        del pending[: end + 1 if end >= 0 else MAX_LINE_BYTES]


def _choose_pause(quiet_s: float) -> float:
    return next((pause for limit, pause in _PAUSES_S if quiet_s < limit), _IDLE_PAUSE_S)
