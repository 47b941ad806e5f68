"""The jobs' truth: one SQLite file, written with a full sync, so that what was acknowledged outlives a crash.

Every change of any job takes the next number of one counter, which is what long polls compare. A terminal status is
write-once: the database itself refuses to overwrite it. Runner threads write through one connection; the server's loop
reads through another, so that a read never waits for somebody's sync.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sm_remote.service.records import states
from sm_remote.service.records.database import connect, prepare, transaction
from sm_remote.service.records.job import JobRecord, dump_detail, load_record


class NameTakenError(Exception):
    """A job of this name exists; ``record`` is it."""

    def __init__(self, record: JobRecord) -> None:
        super().__init__(record.name)
        self.record = record


class NoSuchJobError(LookupError):
    """No job has this name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A request for a page of jobs, in SQL's terms.

    Attributes:
        column: What to sort by: ``name``, ``created_at`` or ``status``.
        descending: Largest first.
        after: Sort value and sequence of the last job of the page before.
        conditions: SQL with one placeholder each, and its value.
        limit: Jobs at most.
    """

    column: str
    descending: bool
    after: tuple[Any, int] | None
    conditions: tuple[tuple[str, Any], ...]
    limit: int


class JobStore:
    """All training jobs of one user.

    Args:
        path: The database file; made when it is missing.
        on_change: Called after each commit with the record as it is now, or None for a deletion.

    Raises:
        StorageError: The file is damaged or was written by a newer version; it is left as it is.
    """

    def __init__(self, path: Path, on_change: Callable[[str, JobRecord | None], None]) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._writer = connect(path)
        try:
            prepare(self._writer, path)
            self._reader = connect(path)
            self._reader.execute("PRAGMA query_only=ON")
        except BaseException:
            self._writer.close()
            raise
        (self._version,) = self._writer.execute("SELECT version FROM counter").fetchone()

    @property
    def version(self) -> int:
        """The number of the latest change of any job."""
        return int(self._version)

    def close(self) -> None:
        """Closes the file; nothing can be read or written any more."""
        with self._lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def insert(self, name: str, request: Mapping[str, Any], tags: Mapping[str, str], now: float) -> JobRecord:
        """Adds a job; when this returns the job is durable.

        Raises:
            NameTakenError: A job of this name exists, in whatever case its letters are.
        """
        with self._lock, transaction(self._writer):
            row = self._writer.execute("SELECT * FROM jobs WHERE folded_name=?", (name.lower(),)).fetchone()
            if row is not None:
                raise NameTakenError(load_record(row))
            record = JobRecord(
                name=name,
                sequence=0,
                request=request,
                tags=tags,
                created_at=now,
                modified_at=now,
                version=self._next_version(),
                state=states.begin(now),
            )
            cursor = self._writer.execute(
                "INSERT INTO jobs"
                " (name, folded_name, status, created_at, modified_at, version, cleaned, request, detail)"
                " VALUES (?,?,?,?,?,?,0,?,?)",
                (
                    name,
                    name.lower(),
                    record.state.status,
                    now,
                    now,
                    record.version,
                    _dump(request),
                    dump_detail(record),
                ),
            )
            record = replace(record, sequence=int(cursor.lastrowid or 0))
        self._publish(record.version, name, record)
        return record

    def change(self, name: str, function: Callable[[JobRecord], JobRecord], now: float) -> JobRecord:
        """Replaces a record by what a function makes of it, in one transaction.

        A function that returns its argument changes nothing. What it raises leaves everything as it was.

        Raises:
            NoSuchJobError: There is none of this name.
        """
        with self._lock, transaction(self._writer):
            old = self._select(self._writer, name)
            new = function(old)
            if new is old:
                return old
            new = replace(new, version=self._next_version(), modified_at=max(now, old.modified_at))
            self._writer.execute(
                "UPDATE jobs SET status=?, modified_at=?, version=?, cleaned=?, detail=? WHERE sequence=?",
                (new.state.status, new.modified_at, new.version, new.cleaned, dump_detail(new), new.sequence),
            )
            if new.request is not old.request:
                self._writer.execute("UPDATE jobs SET request=? WHERE sequence=?", (_dump(new.request), new.sequence))
        self._publish(new.version, name, new)
        return new

    def mark_cleaned(self, name: str) -> None:
        """Notes that nothing is left of a job but its record; to everybody else that is no change."""
        with self._lock, transaction(self._writer):
            self._writer.execute("UPDATE jobs SET cleaned=1 WHERE folded_name=?", (name.lower(),))

    def delete(self, name: str) -> None:
        """Forgets a job."""
        with self._lock, transaction(self._writer):
            version = self._next_version()
            self._writer.execute("DELETE FROM jobs WHERE folded_name=?", (name.lower(),))
        self._publish(version, name, None)

    def find(self, name: str) -> JobRecord:
        """The job of exactly this name.

        Raises:
            NoSuchJobError: There is none.
        """
        with self._read_lock:
            return self._select(self._reader, name)

    def find_folded(self, name: str) -> JobRecord:
        """The job of this name, whatever its letters' case (an ARN has it in lower case).

        Raises:
            NoSuchJobError: There is none.
        """
        with self._read_lock:
            row = self._reader.execute("SELECT * FROM jobs WHERE folded_name=?", (name.lower(),)).fetchone()
        if row is None:
            raise NoSuchJobError(name)
        return load_record(row)

    def list_unfinished(self) -> list[JobRecord]:
        """All jobs with something left to do, oldest first."""
        with self._read_lock:
            rows = self._reader.execute("SELECT * FROM jobs WHERE cleaned=0 ORDER BY sequence").fetchall()
        return [load_record(row) for row in rows]

    def list_pools(self) -> list[JobRecord]:
        """All jobs whose warm pool is in use or kept."""
        sql = "SELECT * FROM jobs WHERE json_extract(detail, '$.pool.status') IN ('InUse', 'Available')"
        with self._read_lock:
            rows = self._reader.execute(sql).fetchall()
        return [load_record(row) for row in rows]

    def list_deleting(self) -> list[str]:
        """Names of jobs whose deletion has begun."""
        with self._read_lock:
            rows = self._reader.execute("SELECT name FROM jobs WHERE status='Deleting'").fetchall()
        return [row["name"] for row in rows]

    def list_page(self, page: Page) -> list[JobRecord]:
        """One page of jobs."""
        order = "DESC" if page.descending else "ASC"
        conditions = list(page.conditions)
        where = [condition for condition, _ in conditions]
        values: list[Any] = [value for _, value in conditions]
        if page.after is not None:
            where.append(f"({page.column}, sequence) {'<' if page.descending else '>'} (?, ?)")
            values.extend(page.after)
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        # Column, order and conditions are this package's own words; every value is bound.
        sql = f"SELECT * FROM jobs {condition} ORDER BY {page.column} {order}, sequence {order} LIMIT ?"  # noqa: S608
        with self._read_lock:
            rows = self._reader.execute(sql, (*values, page.limit)).fetchall()
        return [load_record(row) for row in rows]

    def _select(self, connection: sqlite3.Connection, name: str) -> JobRecord:
        row = connection.execute("SELECT * FROM jobs WHERE folded_name=? AND name=?", (name.lower(), name)).fetchone()
        if row is None:
            raise NoSuchJobError(name)
        return load_record(row)

    def _next_version(self) -> int:
        self._writer.execute("UPDATE counter SET version = version + 1")
        (version,) = self._writer.execute("SELECT version FROM counter").fetchone()
        return int(version)

    def _publish(self, version: int, name: str, record: JobRecord | None) -> None:
        # Two threads may come here in either order; the counter must not run backwards.
        self._version = max(self._version, version)
        self._on_change(name, record)


def _dump(request: Mapping[str, Any]) -> str:
    return json.dumps(request, separators=(",", ":"))
