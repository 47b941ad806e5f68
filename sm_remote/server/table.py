"""The list of training jobs of one target, as the panel last saw it: every change has a number, so that a browser asks
only for what is new.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from sm_remote.server.problems import Problem
from sm_remote.server.rows import JobRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What came after a number.

    Attributes:
        seq: The number to ask with next time.
        rows: Newest first.
        whole: Whether these are all rows, so that others are to be forgotten.
        as_of_ms: When the list was last seen to be true; None before the first look.
        problem: Why it is not newer than that.
    """

    seq: int
    rows: tuple[JobRow, ...]
    whole: bool
    as_of_ms: int | None
    problem: Problem | None


class JobTable:
    """Rows by name; written by one poller, read by requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, tuple[int, JobRow]] = {}
        self._seq = 0
        self._emptied_at = 0
        self._as_of_ms: int | None = None
        self._problem: Problem | None = None

    def put(self, rows: Iterable[JobRow]) -> bool:
        """Takes rows up; whether any was new or different."""
        with self._lock:
            before = self._seq
            for row in rows:
                known = self._rows.get(row.name)
                if known is None or known[1] != row:
                    self._seq += 1
                    self._rows[row.name] = (self._seq, row)
            return self._seq != before

    def keep_only(self, names: Iterable[str]) -> bool:
        """Forgets jobs that are gone; whether there were any."""
        with self._lock:
            gone = self._rows.keys() - set(names)
            for name in gone:
                del self._rows[name]
            if gone:
                self._seq += 1
                self._emptied_at = self._seq
            return bool(gone)

    def note(self, *, as_of_ms: int | None = None, problem: Problem | None = None) -> bool:
        """Writes down how a look went; whether the panel has to be told."""
        with self._lock:
            changed = problem != self._problem or self._as_of_ms is None
            self._problem = problem
            if as_of_ms is not None:
                self._as_of_ms = as_of_ms
            if changed:
                self._seq += 1
            return changed

    def find(self, name: str) -> JobRow | None:
        """A row by its name."""
        with self._lock:
            known = self._rows.get(name)
            return None if known is None else known[1]

    def rows(self) -> list[JobRow]:
        """All rows, newest first."""
        with self._lock:
            return sorted((row for _, row in self._rows.values()), key=_age, reverse=True)

    @property
    def seq(self) -> int:
        """The number of the newest change."""
        with self._lock:
            return self._seq

    def since(self, seq: int) -> Changes:
        """What came after a number; everything, for a number of before something was removed or of another server."""
        with self._lock:
            whole = seq < self._emptied_at or seq > self._seq or seq <= 0
            rows = [row for number, row in self._rows.values() if whole or number > seq]
            return Changes(
                seq=self._seq,
                rows=tuple(sorted(rows, key=_age, reverse=True)),
                whole=whole,
                as_of_ms=self._as_of_ms,
                problem=self._problem,
            )


def _age(row: JobRow) -> tuple[int, str]:
    return row.created_ms, row.name
