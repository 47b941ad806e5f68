"""The function's stdout and stderr: each line at once, and whether the last one was finished."""

from __future__ import annotations

import io
import math
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_BAR = re.compile(rb"\r[^\r\n]*(?:\d%\||\d[^\r\n\[]{0,30} \[[\d:]{5,10}, )[^\r\n]*\Z")
"""What has just drawn a progress bar over itself, as tqdm does with and without a total, and left the line open."""
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


_covering: Callable[[bytes], bytes] = bytes


class WatchedOutput(io.FileIO):
    """The lowest layer of ``sys.stdout`` or ``sys.stderr``.

    It remembers how the last piece ended: the marker needs a line of its own. A log is passed on line by line, so a
    progress bar would be seen when it has ended: now and then, seldomer the longer it runs, its line is ended here.
    Who shows the log draws the bar's lines over each other.

    Args:
        fd: Where to write.
        clock: Seconds, never backwards.

    Attributes:
        unfinished: Whether the last line has no newline yet.
    """

    def __init__(self, fd: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(fd, "wb", closefd=False)
        self.unfinished = False
        self._clock = clock
        self._bar_ended = False
        self._began_s = self._next_s = -math.inf

    def write(self, data: Any, /) -> int:
        """Called once a line."""
        content = bytes(data)
        covered = _covering(content)
        if covered != content:
            self._write_all(covered)
            self._bar_ended, self.unfinished = False, not covered.endswith(b"\n")
            return len(content)
        # The bar's own newline, at its end, after ours.
        skipped = 1 if self._bar_ended and content.startswith(b"\n") else 0
        written = super().write(content[skipped:]) if len(content) > skipped else skipped
        if not written:
            return written  # not ready, where somebody made the descriptor so
        if len(content) > skipped:
            written += skipped
        self._bar_ended = False
        self.unfinished = content[written - 1 : written] != b"\n"
        if written == len(content) and self._is_due(content) and super().write(b"\n"):
            self._bar_ended = True
            self.unfinished = False
        return written

    def _write_all(self, content: bytes) -> None:
        """Writes another text in the place of what the caller counts."""
        while content:
            content = content[super().write(content) or 0 :]

    def _is_due(self, content: bytes) -> bool:
        """Whether the line is to be ended after a piece: a bar's, after a pause of a hundredth of its time."""
        if _BAR.search(content) is None:
            return False
        now_s = self._clock()
        if now_s > self._next_s + _LONGEST_PAUSE_S:
            self._began_s = now_s  # another bar
        elif now_s < self._next_s:
            return False
        self._next_s = now_s + min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, (now_s - self._began_s) / 100))
        return True


def cover_output(covering: Callable[[bytes], bytes]) -> None:
    """Has everything that is written from now on pass through a function that takes secrets out of it."""
    global _covering
    _covering = covering


def watch_output() -> WatchedOutput | None:
    """Makes ``sys.stdout`` and ``sys.stderr`` line-buffered and watched.

    Returns:
        What watches stdout; None where the process was started without one.
    """
    # Both names, as Python itself does at its start.
    sys.stderr, _ = _watch(sys.stderr)
    sys.__stderr__ = sys.stderr  # type: ignore[misc]
    sys.stdout, watched = _watch(sys.stdout)
    sys.__stdout__ = sys.stdout  # type: ignore[misc]
    return watched


def _watch(stream: Any) -> tuple[Any, WatchedOutput | None]:
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None
    watched = WatchedOutput(stream.fileno())
    text = io.TextIOWrapper(
        io.BufferedWriter(watched), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )
    return text, watched


def flush_streams() -> None:
    """Flushes what the function left in buffers; it may have closed or replaced the streams."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def plug_closed_streams() -> None:
    """Opens /dev/null in place of a closed stdin, stdout or stderr.

    Otherwise the next file that is opened, the outcome, would get its number, and late output would land in it.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
