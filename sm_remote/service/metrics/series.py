"""Metric datapoints on disk: one file for each log stream and kind, of records of one size, appended and never altered.

A file that would outgrow its bound is thinned out: every second datapoint of each metric goes, and from then on every
second new one. So a job of weeks keeps its whole course, at a coarser step. A file may be lost without harm to its job.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sm_remote.home import make_private

logger = logging.getLogger("sm_remote.service")

MAX_SERIES_BYTES = 16 << 20
"""What one file may hold: about 900,000 datapoints."""
_RECORD = struct.Struct("<HQd")


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One value.

    Attributes:
        metric: The metric's number in its list of names.
        timestamp_ms: Since the epoch.
        value: Finite.
    """

    metric: int
    timestamp_ms: int
    value: float


class SeriesWriter:
    """Appends to one file; what cannot be written is lost.

    Args:
        path: The file.
        from_start: Whether what the file has is forgotten: its datapoints come again.
        max_bytes: Its bound.
    """

    def __init__(self, path: Path, *, from_start: bool, max_bytes: int = MAX_SERIES_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._seen: Counter[int] = Counter()
        self._every = 1
        self._file = -1
        self._bytes = 0
        try:
            make_private(path.parent)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(path, flags | (os.O_TRUNC if from_start else 0), 0o600)
            whole = os.fstat(self._file).st_size // _RECORD.size * _RECORD.size
            os.ftruncate(self._file, whole)  # a crash may have left a record unfinished
            self._bytes = whole
        except OSError as error:
            logger.warning("Metrics are not kept: %s", error)

    def append(self, points: Iterable[Datapoint]) -> None:
        """Appends datapoints, all by one write."""
        with self._lock:
            data = b"".join(
                _RECORD.pack(point.metric, point.timestamp_ms, point.value) for point in points if self._is_kept(point)
            )
            if self._file < 0 or not data:
                return
            try:
                if self._bytes + len(data) > self._max_bytes:
                    self._thin_out()
                os.write(self._file, data)
            except OSError as error:
                logger.warning("A datapoint is lost: %s", error)
                return
            self._bytes += len(data)

    def close(self) -> None:
        """Closes the file; what is appended afterwards is dropped."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1

    def _is_kept(self, point: Datapoint) -> bool:
        self._seen[point.metric] += 1
        return (self._seen[point.metric] - 1) % self._every == 0

    def _thin_out(self) -> None:
        self._every *= 2
        seen: Counter[int] = Counter()
        kept = []
        for record in _RECORD.iter_unpack(os.pread(self._file, self._bytes, 0)):
            if seen[record[0]] % 2 == 0:
                kept.append(_RECORD.pack(*record))
            seen[record[0]] += 1
        thinned = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(thinned, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with open(os.dup(descriptor), "wb") as file:
                file.writelines(kept)
            os.replace(thinned, self._path)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self._file)
        self._file, self._bytes = descriptor, len(kept) * _RECORD.size


def read_series(path: Path, *, start_ms: int = 0, end_ms: int = 1 << 62) -> Iterator[Datapoint]:
    """Yields the datapoints of a time, its end excluded, in the order in which they were written."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    for metric, timestamp_ms, value in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]):
        if start_ms <= timestamp_ms < end_ms:
            yield Datapoint(metric, timestamp_ms, value)
