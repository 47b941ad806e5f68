"""The ledger: every training job that this machine has started, in one private SQLite file.

An entry is written before its job is created and settled after the job has ended, so a process that dies in between
leaves an open entry and never a job that is not counted. A limit is checked in the transaction that writes the entry:
of two processes at once, one counts the other's.

SQLite syncs to disk where money is at stake, and only there: a local job costs nothing, and what a power cut takes of
it is a line of history.
"""

from __future__ import annotations

import atexit
import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sm_remote.costs.entry import Entry, EntryState
from sm_remote.errors import StorageError
from sm_remote.home import Home, make_private

SCHEMA_VERSION = 2
KEPT_S = {"sagemaker": 400 * 86400.0, "local": 90 * 86400.0}
"""For how long what has ended is kept, by target: more than a year of what was paid."""
_FIELDS = tuple(field.name for field in fields(Entry))
_SCHEMA = """
CREATE TABLE entries (
    name         TEXT NOT NULL,
    target       TEXT NOT NULL,
    region       TEXT NOT NULL,
    call         TEXT NOT NULL,
    function     TEXT NOT NULL,
    code         TEXT NOT NULL,
    machines     TEXT NOT NULL,
    instances    INTEGER NOT NULL,
    is_spot      INTEGER NOT NULL,
    usd_per_hour REAL,
    price_origin TEXT NOT NULL,
    limit_usd    REAL,
    opened_at    REAL NOT NULL,
    state        TEXT NOT NULL,
    status       TEXT NOT NULL,
    ended_at     REAL,
    training_s   REAL,
    billable_s   REAL,
    pool_s       REAL,
    account      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (target, region, name)
);
CREATE INDEX entries_by_function ON entries (function, target, machines, state);
CREATE INDEX entries_by_call ON entries (call);
CREATE INDEX entries_by_end ON entries (ended_at);
CREATE INDEX unsettled ON entries (opened_at) WHERE state IN ('open', 'pool');
"""
_SINCE_SCHEMA_1 = "ALTER TABLE entries ADD COLUMN account TEXT NOT NULL DEFAULT ''"
_UNSETTLED = "state IN ('open', 'pool')"


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the ledger counts already, on SageMaker, at the moment in which an entry is to be written.

    Attributes:
        call: The other jobs of the same call.
        day: All jobs that have run since the day began, and those that still do.
    """

    call: Sequence[Entry]
    day: Sequence[Entry]


class Ledger:
    """This user's ledger on this machine.

    Args:
        home: This user's state.
    """

    def __init__(self, home: Home) -> None:
        self.path = home.costs / "ledger.sqlite"

    def reserve(self, entry: Entry, day_began: float, allow: Callable[[Entry, Held], Entry]) -> Entry:
        """Writes the entry of a job that is about to be created.

        Args:
            entry: Open.
            day_began: Seconds since 1970; what has ended before is not in `Held.day`.
            allow: Given what is counted already, the entry as it is to be written; what it raises leaves the ledger as
                it was.

        Raises:
            StorageError: The ledger cannot be written.
        """
        with self._open(durable=entry.is_charged) as connection:
            held = Held(
                call=_select(connection, "call = ? AND target = 'sagemaker' AND name != ?", entry.call, entry.name),
                day=_select(
                    connection,
                    f"target = 'sagemaker' AND name != ? AND ({_UNSETTLED} OR ended_at >= ?)",
                    entry.name,
                    day_began,
                ),
            )
            allowed = allow(entry, held)
            _write(connection, allowed)
            _prune(connection, entry)
            return allowed

    def change(self, name: str, target: str, alter: Callable[[Entry], Entry]) -> Entry | None:
        """Replaces an entry that is not settled yet by what is made of it; None where there is none.

        Raises:
            StorageError: The ledger cannot be written.
        """
        if not self.path.exists():
            return None
        with self._open(durable=target == "sagemaker") as connection:
            found = _select(connection, f"name = ? AND target = ? AND {_UNSETTLED}", name, target)
            if not found:
                return None
            altered = alter(found[0])
            if altered != found[0]:
                _write(connection, altered)
            return altered

    def find(self, name: str, target: str) -> Entry | None:
        """The entry of a job; None where there is none.

        Raises:
            StorageError: The ledger cannot be read.
        """
        return next(iter(self._read("name = ? AND target = ?", name, target, limit=1)), None)

    def list_since(self, moment: float) -> list[Entry]:
        """The entries of jobs that have ended since then, or not yet; oldest first, without those never created."""
        return self._read(f"state != 'void' AND ({_UNSETTLED} OR ended_at >= ?)", moment)

    def list_unsettled(
        self,
        limit: int,
        *,
        target: str | None = None,
        region: str | None = None,
        account: str | None = None,
        opened_before: float = math.inf,
    ) -> list[Entry]:
        """The oldest entries that are not settled.

        Args:
            limit: At most so many.
            target: Only this one's.
            region: Only this one's.
            account: Only those of this account, and those whose account is not known.
            opened_before: Only those that were opened before this moment, in seconds since 1970.
        """
        where = (
            f"{_UNSETTLED} AND target = coalesce(?, target) AND region = coalesce(?, region) "
            "AND account IN ('', coalesce(?, account)) AND opened_at < ?"
        )
        return self._read(where, target, region, account, opened_before, limit=limit)

    def list_runs(self, function: str, target: str, machines: str, limit: int = 200) -> list[Entry]:
        """The newest jobs of a function on such machines that came to their end."""
        where = "function = ? AND target = ? AND machines = ? AND state IN ('pool', 'settled') AND status = 'Completed'"
        return self._read(where, function, target, machines, limit=limit, order="opened_at DESC")

    def _read(self, where: str, *values: Any, limit: int = -1, order: str = "opened_at") -> list[Entry]:
        if not self.path.exists():
            return []
        with self._open(durable=False) as connection:
            return _select(connection, where, *values, limit=limit, order=order)

    @contextmanager
    def _open(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """A transaction, whose commit is on disk where it is to be durable."""
        try:
            with _SHELF.lock:
                connection = _SHELF.take(self.path)
                connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(
                f"The ledger of costs {self.path} cannot be used.",
                why=str(error),
                fix="Free space, or move the file away to begin a new one; jobs are not concerned.",
                path=str(self.path),
            ) from error


def find_day_began(now: datetime) -> float:
    """When the day of UTC began, in seconds since 1970."""
    return now.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _select(
    connection: sqlite3.Connection, where: str, *values: Any, limit: int = -1, order: str = "opened_at"
) -> list[Entry]:
    query = f"SELECT {', '.join(_FIELDS)} FROM entries WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - our own words
    return [_parse_row(row) for row in connection.execute(query, (*values, limit))]


def _parse_row(row: Sequence[Any]) -> Entry:
    entry = Entry(**dict(zip(_FIELDS, row, strict=True)))
    return replace(entry, is_spot=bool(entry.is_spot), state=EntryState(entry.state))


def _write(connection: sqlite3.Connection, entry: Entry) -> None:
    values = [getattr(entry, name) for name in _FIELDS]
    connection.execute(
        f"INSERT OR REPLACE INTO entries ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))})",  # noqa: S608
        [str(value) if isinstance(value, EntryState) else value for value in values],
    )


def _prune(connection: sqlite3.Connection, newest: Entry) -> None:
    """Forgets what ended too long ago for any limit, estimate or list; what is not settled stays."""
    connection.execute(
        f"DELETE FROM entries WHERE target = ? AND ended_at < ? AND NOT {_UNSETTLED}",  # noqa: S608 - of constants
        (newest.target, newest.opened_at - KEPT_S[newest.target]),
    )


class _Shelf:
    """The one connection that this process keeps: closing the last one of a file makes SQLite sync it each time."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._file: tuple[Path, int, int] | None = None
        self._connection: sqlite3.Connection | None = None
        self._left: list[sqlite3.Connection] = []

    def take(self, path: Path) -> sqlite3.Connection:
        """The connection to a file; the one to another file, or to one that is gone, is closed."""
        if self._connection is None or self._file != _identify(path):
            self.close()
            self._connection = _connect(path)
            self._file = _identify(path)
        return self._connection

    def close(self) -> None:
        """Closes what is open."""
        with self.lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = self._file = None

    def forget(self) -> None:
        """In a forked child: closing its parent's connection would drop the parent's locks, so it is only kept."""
        self.lock = threading.RLock()
        if self._connection is not None:
            self._left.append(self._connection)
        self._connection = self._file = None


def _identify(path: Path) -> tuple[Path, int, int] | None:
    """The file that a path names at this moment."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return path, status.st_dev, status.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    for directory in (path.parent.parent, path.parent):
        make_private(directory)
    # SQLite gives its journal the mode of the database, so that one has to be right from the start.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > SCHEMA_VERSION:
        raise StorageError(
            f"The ledger of costs {path} has schema {found}; this version knows {SCHEMA_VERSION}.",
            why="A newer version of sm_remote wrote it.",
            fix="Upgrade sm_remote.",
            path=str(path),
        )
    if found < SCHEMA_VERSION:
        for statement in _SCHEMA.split(";") if found == 0 else [_SINCE_SCHEMA_1]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("COMMIT")


_SHELF = _Shelf()
atexit.register(_SHELF.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SHELF.forget)
