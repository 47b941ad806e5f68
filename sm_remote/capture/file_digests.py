"""Digests of files that were hashed before, so that data which has not changed is not read again at each call.

A digest is kept under the file's path with its device, inode, size, time of modification and time of change. The last
cannot be set back by a program, so a file that was written to has another stamp; only one that changed in the very
moments in which it was hashed might not, which is why what is that young is not kept. Nothing here can fail a call.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sm_remote.capture.input_files import InputFile
from sm_remote.home import make_private

SETTLED_S = 2.0
"""A file that was changed later than this before it was hashed may change again without its times showing it."""
MOST_KEPT = 500_000
_TABLE = "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL)"
_TRIM = "DELETE FROM digests WHERE rowid <= (SELECT max(rowid) FROM digests) - ?"


class FileDigests:
    """What is remembered of files, in the user's cache.

    Args:
        path: The database; made when first written to.
        clock: Seconds since the epoch.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._fresh: dict[str, tuple[str, str]] = {}

    def find(self, files: tuple[InputFile, ...]) -> dict[str, str]:
        """The digests of those files that are as they were when they were hashed, by name."""
        if not self._path.exists():
            return {}
        found: dict[str, str] = {}
        with suppress(sqlite3.Error, OSError), closing(self._open()) as database:
            for one in files:
                row = database.execute(
                    "SELECT digest FROM digests WHERE path = ? AND stamp = ?", (_place(one), _stamp(one))
                ).fetchone()
                if row is not None:
                    found[one.name] = str(row[0])
        return found

    def remember(self, one: InputFile, digest: str) -> None:
        """Notes the digest of a file that has just been hashed, unless it is too young; `save` keeps it."""
        if max(one.stamp[-2:]) / 1e9 < self._clock() - SETTLED_S:
            self._fresh[_place(one)] = (_stamp(one), digest)

    def save(self) -> None:
        """Keeps what was noted; the oldest entries go where there are too many."""
        if not self._fresh:
            return
        with suppress(sqlite3.Error, OSError):
            make_private(self._path.parent)
            with closing(self._open()) as database, database:
                rows = [(place, stamp, digest) for place, (stamp, digest) in self._fresh.items()]
                database.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", rows)
                database.execute(_TRIM, (MOST_KEPT,))
        self._fresh.clear()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=5)
        try:
            with suppress(OSError):
                self._path.chmod(0o600)
            database.execute(_TABLE)
        except BaseException:  # such as one that is no database
            database.close()
            raise
        return database


def _place(one: InputFile) -> str:
    # A path need not be valid Unicode, and SQLite's text must be.
    return str(one.path.absolute()).encode(errors="surrogateescape").decode(errors="backslashreplace")


def _stamp(one: InputFile) -> str:
    return " ".join(str(number) for number in one.stamp)
