"""Reads what the Docker daemon kept of a container's output. Pure but for the file that it is given.

Source: Docker Engine API v1.41, ContainerLogs and ContainerAttach ("Stream format").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Protocol

MAX_LINE_BYTES = 256 * 1024

_HEADER = struct.Struct(">BxxxL")


class Readable(Protocol):
    """A stream of bytes; a read gives fewer than were asked for only at its end."""

    def read(self, size: int) -> bytes:
        """Reads."""


def read_frames(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """Yields (1 for stdout or 2 for stderr, content) until the stream ends, were it in the middle of a frame."""
    while len(header := stream.read(_HEADER.size)) == _HEADER.size:
        kind, size = _HEADER.unpack(header)
        content = stream.read(size)
        if len(content) < size:
            return
        yield kind, content


def join_lines(frames: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yields (milliseconds since the epoch, line) from frames with timestamps.

    The daemon keeps a long line in pieces of 16 KiB, each with a timestamp and only the last with a newline; the two
    streams keep theirs apart. A line longer than 256 KiB is given out in pieces.
    """
    started: dict[int, int] = {}
    pending: dict[int, bytearray] = {}
    clock = _Clock()
    for kind, frame in frames:
        stamp, _, content = frame.partition(b" ")
        line = pending.setdefault(kind, bytearray())
        if not line:
            started[kind] = clock.parse(stamp)
        line += content
        if line.endswith(b"\n"):
            yield started[kind], bytes(line[:-1])
            line.clear()
        while len(line) >= MAX_LINE_BYTES:
            yield started[kind], bytes(line[:MAX_LINE_BYTES])
            del line[:MAX_LINE_BYTES]
    for kind, line in pending.items():
        if line:
            yield started[kind], bytes(line)


class _Clock:
    """Parses RFC 3339 timestamps; most lines come in the same second as the one before."""

    def __init__(self) -> None:
        self._text = b""
        self._epoch_ms = 0

    def parse(self, stamp: bytes) -> int:
        second, fraction = stamp[:19], stamp[20:23]
        if second != self._text:
            moment = datetime.fromisoformat(second.decode("ascii")).replace(tzinfo=timezone.utc)
            self._text, self._epoch_ms = second, int(moment.timestamp()) * 1000
        return self._epoch_ms + int(fraction.rstrip(b"Z").ljust(3, b"0"))
