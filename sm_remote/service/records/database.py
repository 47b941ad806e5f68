"""The database file: its tables, how it is opened, and what is refused rather than guessed at."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sm_remote.errors import StorageError

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE jobs (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    folded_name TEXT NOT NULL UNIQUE,
    status      TEXT NOT NULL,
    created_at  REAL NOT NULL,
    modified_at REAL NOT NULL,
    version     INTEGER NOT NULL,
    cleaned     INTEGER NOT NULL,
    request     TEXT NOT NULL,
    detail      TEXT NOT NULL
);
CREATE INDEX jobs_by_creation ON jobs (created_at, sequence);
CREATE INDEX jobs_to_do ON jobs (sequence) WHERE cleaned = 0;
CREATE TRIGGER terminal_is_final BEFORE UPDATE OF status ON jobs
    WHEN OLD.status IN ('Completed', 'Failed', 'Stopped') AND NEW.status NOT IN (OLD.status, 'Deleting')
    BEGIN SELECT RAISE(ABORT, 'a terminal status is final'); END;
CREATE TABLE counter (version INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
"""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits what is done within it, or takes all of it back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def connect(path: Path) -> sqlite3.Connection:
    """Opens the database file, readable by its owner alone; an empty one is made where there is none."""
    # SQLite gives its journal the mode of the database, so that one has to be right from the start.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Makes sure that the file is whole and has this version's tables.

    Raises:
        StorageError: It is damaged or was written by a newer version; it is left as it is.
    """
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found <= SCHEMA_VERSION:
            _check_integrity(connection)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        if found == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
    except sqlite3.DatabaseError as error:
        raise StorageError(
            f"The local training service's database {path} cannot be read.",
            why=str(error),
            fix="Restore it from a backup, or move it away to start with no jobs; nothing was changed.",
            path=str(path),
        ) from error
    if found > SCHEMA_VERSION:
        raise StorageError(
            f"The local training service's database {path} has schema {found}; this version knows {SCHEMA_VERSION}.",
            why="A newer version of sm_remote wrote it.",
            fix="Upgrade sm_remote.",
            path=str(path),
        )


def _check_integrity(connection: sqlite3.Connection) -> None:
    faults = [row[0] for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]
    if faults:
        raise sqlite3.DatabaseError("; ".join(faults))
