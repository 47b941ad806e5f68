"""A log stream on disk: lines with their milliseconds, only ever appended, read by byte offset.

The offset is the paging token, so a token stays good over restarts of the service and costs nothing to follow. Each
line of the file is ``<ms> <j|s> <text>``: ``j`` for the job's own, ``s`` for the service's; the engine yields a
container's lines from the first one on, and after a restart as many as there are ``j`` lines are skipped.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sm_remote.home import make_private
from sm_remote.wire.marker import MARKER_PREFIX

logger = logging.getLogger("sm_remote.service")

MAX_STREAM_BYTES = 1 << 30
"""What one stream may hold. What comes later is dropped, and the stream says so."""
_MARKER = MARKER_PREFIX.encode()
_ROOM_FOR_RECORDS_BYTES = 16 << 10
_PAGE_BYTES = 1 << 20
_DISORDER_MS = 60_000
_LONGEST_LINE_BYTES = (256 << 10) + 64


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEvent:
    """One line. Source: API_OutputLogEvent."""

    timestamp_ms: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPage:
    """Lines that follow each other in a stream, and the offsets before and after them."""

    events: tuple[LogEvent, ...]
    start: int
    end: int


def show_text(text: str) -> str:
    """A line as CloudWatch Logs shows it: a tab in the log of a training job comes out as ``#011``.

    Source: observed; the regular expressions of SageMaker's built-in algorithms rely on it.
    """
    return text.replace("\t", "#011")


class LogSpool:
    """Appends to one stream; opened again after a restart, it goes on where it was.

    Args:
        path: Of its file.
        announce: Called when there is something new.
        max_bytes: What it may hold.
        advise: What the service has to say to a line of the job, if anything; said once.

    Attributes:
        job_lines: How many lines of the job it holds.
        is_new: Whether it was empty when it was opened.
    """

    def __init__(
        self,
        path: Path,
        announce: Callable[[], None],
        *,
        max_bytes: int = MAX_STREAM_BYTES,
        advise: Callable[[bytes], str | None] | None = None,
    ) -> None:
        make_private(path.parent)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._announce = announce
        self._max_bytes = max_bytes
        self._advise = advise
        self._lock = threading.Lock()
        self.job_lines = 0
        self._bytes = self._recover()
        self.is_new = self._bytes == 0

    def close(self) -> None:
        """Closes the file; what is appended afterwards is dropped."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1

    def say(self, timestamp_ms: int, text: str) -> None:
        """Appends the service's own words, one line for each of theirs."""
        for line in text.splitlines():
            self._write(timestamp_ms, b"s", line.encode())

    def append(self, timestamp_ms: int, line: bytes) -> None:
        """Appends a line of the job."""
        self._write(timestamp_ms, b"j", line)
        self.job_lines += 1
        if self._advise is not None and (advice := self._advise(line)) is not None:
            self._advise = None
            self.say(timestamp_ms, advice)

    def _write(self, timestamp_ms: int, kind: bytes, line: bytes) -> None:
        with self._lock:
            if self._file < 0 or (self._bytes > self._max_bytes and not self._is_record(kind, line)):
                return
            data = b"%d %s %s\n" % (timestamp_ms, kind, line.replace(b"\n", b" "))
            if self._bytes <= self._max_bytes < self._bytes + len(data):
                data = b"%d s The log is cut off here: it has reached %d bytes.\n" % (timestamp_ms, self._max_bytes)
                self._bytes = self._max_bytes
            try:
                os.write(self._file, data)
            except OSError as error:
                # A full disk costs lines, not the job.
                logger.warning("A line of the log is lost: %s", error)
                return
            self._bytes += len(data)
        self._announce()

    def _is_record(self, kind: bytes, line: bytes) -> bool:
        """Whether a line is to be kept even in a full stream: without the record of its outcome a job has no value."""
        return kind == b"j" and _MARKER in line and self._bytes <= self._max_bytes + _ROOM_FOR_RECORDS_BYTES

    def _recover(self) -> int:
        """Counts the job's lines, and cuts off one that a crash left unfinished."""
        whole = 0
        with open(os.dup(self._file), "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, whole)
                    break
                whole += len(line)
                self.job_lines += line.split(b" ", 2)[1:2] == [b"j"]
        return whole


def read_forward(path: Path, start: int, *, limit: int) -> LogPage:
    """Reads at most ``limit`` lines and one mebibyte from an offset on."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(_PAGE_BYTES)
        if b"\n" not in data:
            data += file.read(_LONGEST_LINE_BYTES)
    lines = _split(data)[:limit]
    return LogPage(events=tuple(map(_parse, lines)), start=start, end=start + sum(map(len, lines)))


def iterate_from(path: Path, start: int) -> Iterator[tuple[int, LogEvent]]:
    """Yields each whole line from an offset on, and the offset behind it."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            start += len(line)
            yield start, _parse(line)


def find_time(path: Path, timestamp_ms: int) -> int:
    """Finds the offset of a line such that nothing before it is of a time or later; lines are in order but for a few.

    Source of the disorder: the service's own lines bear its time, the job's that of the engine.
    """
    wanted = timestamp_ms - _DISORDER_MS
    with path.open("rb") as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            start, line = _find_line(file, middle)
            if line.endswith(b"\n") and _parse(line).timestamp_ms < wanted:
                low = start + len(line)
            else:
                high = middle
        return low


def _find_line(file: BinaryIO, offset: int) -> tuple[int, bytes]:
    """The first line that begins at an offset or after it, and where."""
    if offset > 0:
        file.seek(offset - 1)
        offset += len(file.readline()) - 1
    else:
        file.seek(0)
    return offset, file.readline()


def is_line_start(path: Path, offset: int) -> bool:
    """Whether a line begins, or will begin, at an offset."""
    if offset == 0:
        return True
    with path.open("rb") as file:
        file.seek(offset - 1)
        return file.read(1) == b"\n"


def read_backward(path: Path, end: int, *, limit: int, window_bytes: int = _PAGE_BYTES) -> LogPage:
    """Reads the last ``limit`` lines, ``window_bytes`` at most, before an offset; oldest first."""
    with path.open("rb") as file:
        end = min(end, file.seek(0, os.SEEK_END))
        start = max(0, end - window_bytes)
        file.seek(start)
        data = file.read(end - start)
    lines = _split(data)
    if start > 0:
        # The window opens in the middle of a line.
        lines = lines[1:]
    lines = lines[-limit:]
    return LogPage(events=tuple(map(_parse, lines)), start=end - sum(map(len, lines)), end=end)


def _split(data: bytes) -> list[bytes]:
    """The whole lines in some bytes, each with its newline; nothing but a newline ends one."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]]


def _parse(line: bytes) -> LogEvent:
    timestamp, _, text = line[:-1].split(b" ", 2)
    return LogEvent(timestamp_ms=int(timestamp), message=text.decode("utf-8", "replace"))
