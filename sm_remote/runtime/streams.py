"""The function's stdout and stderr: each line at once, and whether the last one was finished."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any


class WatchedOutput(io.FileIO):
    """The lowest layer of ``sys.stdout``. It remembers how the last piece ended: the marker needs a line of its own."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "wb", closefd=False)
        self.unfinished = False

    def write(self, data: Any, /) -> int:
        """Called once a line."""
        written = super().write(data)
        if written:
            self.unfinished = bytes(memoryview(data)[written - 1 : written]) != b"\n"
        return written


def watch_stdout() -> WatchedOutput | None:
    """Makes ``sys.stdout`` line-buffered and watched; None where the process was started without one."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        return None
    watched = WatchedOutput(stream.fileno())
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(  # type: ignore[misc]  # as Python itself does at its start
        io.BufferedWriter(watched), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )
    return watched


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
