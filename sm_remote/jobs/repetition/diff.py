"""What differs between two jobs: code, packages, image, data, machine and settings, in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.creation.lock import JobLock, read_lock
from sm_remote.jobs.job import Job
from sm_remote.settings import resolve_settings
from sm_remote.wire.layout import CHANNEL, LAYER_CHANNEL

_TOLD_ALREADY = frozenset(
    (
        *("environment_variables", "hyperparameters", "inputs", "image_uri", "instance_type", "instance_count"),
        *("volume_size", "max_runtime_in_seconds", "enable_network_isolation"),
    )
)
"""Settings whose effect has rows of its own."""
_SHORT = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffRow:
    """One difference. An empty text stands for what one of both does not have."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """What differs between two jobs. It is true when anything does, and prints as a table.

    Attributes:
        before: The first job's name.
        after: The second job's name.
        rows: The differences.
        notes: What could not be compared.
    """

    before: str
    after: str
    rows: tuple[DiffRow, ...]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __iter__(self) -> Iterator[DiffRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        return render_diff(self)

    __repr__ = __str__


def diff(job_a: Job[Any] | str, job_b: Job[Any] | str, *, target: str | None = None) -> Diff:
    """Compares two jobs.

    Args:
        job_a: The first, or its name.
        job_b: The second, or its name.
        target: Where jobs are that are given by their names.

    Raises:
        JobNotFound: One is not there.
    """
    connection: Connection | None = None
    sides = []
    for job in (job_a, job_b):
        if isinstance(job, Job):
            sides.append((job._connection, job.name))
            continue
        connection = connection or connect_with(resolve_settings({} if target is None else {"target": target}))
        sides.append((connection, job))
    return diff_through(*sides[0], *sides[1])


def diff_through(connection_a: Connection, name_a: str, connection_b: Connection, name_b: str) -> Diff:
    """`diff`, over connections that are there."""
    described = [
        (connection.training_jobs.describe(name), connection)
        for connection, name in ((connection_a, name_a), (connection_b, name_b))
    ]
    locks = [read_lock(one.name, one.output_uri, connection) for one, connection in described]
    (first, _), (second, _) = described
    return compare(first, locks[0], second, locks[1])


def compare(
    first: TrainingJobDescription, lock_a: JobLock | None, second: TrainingJobDescription, lock_b: JobLock | None
) -> Diff:
    """Compares what is known of two jobs. Pure."""
    with_locks = lock_a is not None and lock_b is not None
    before = dict(list_facts(first, lock_a if with_locks else None))
    after = dict(list_facts(second, lock_b if with_locks else None))
    rows = [
        DiffRow(what=what, before=before.get(what, ""), after=after.get(what, ""))
        for what in dict.fromkeys((*before, *after))
        if before.get(what) != after.get(what)
    ]
    notes = tuple(
        f"{one.name} has no job.lock: only what the API says of it is compared."
        for one, lock in ((first, lock_a), (second, lock_b))
        if lock is None
    )
    return Diff(before=first.name, after=second.name, rows=tuple(map(_hide_values, rows)), notes=notes)


def list_facts(description: TrainingJobDescription, lock: JobLock | None) -> Iterator[tuple[str, str]]:
    """All that makes a job what it is, by what it is called in the table."""
    if lock is not None:
        yield from _list_locked(lock)
    yield from _list_described(description)
    if lock is not None:
        yield from _list_state(lock)


def _list_locked(lock: JobLock) -> Iterator[tuple[str, str]]:
    yield "function", str(lock["code"]["function"])
    yield "code", lock["code"]["hash"][:_SHORT]
    yield "arguments", lock["arguments"][:_SHORT]
    yield "python", str(lock["python"])
    yield "sm_remote", str(lock["sm_remote"])
    for requirement in lock["environment"]["requirements"]:
        name, version = split_requirement(requirement)
        yield f"package {name}", version
    yield "layer", str(lock["environment"]["layer"] or lock["environment"]["archive"] or "none")[:_SHORT]


def split_requirement(line: str) -> tuple[str, str]:
    """Name and version (or place) of a locked requirement."""
    for separator in ("==", " @ "):
        name, found, version = line.partition(separator)
        if found:
            return name.strip(), version.strip()
    return line, "any"


def _list_described(description: TrainingJobDescription) -> Iterator[tuple[str, str]]:
    raw = description.raw
    resources = raw.get("ResourceConfig") or {}
    yield "image", description.image_uri or ""
    yield "instance type", ", ".join(dict.fromkeys(name for name, _ in description.machines))
    yield "instance count", ", ".join(str(count) for _, count in description.machines)
    yield "volume size", f"{resources['VolumeSizeInGB']} GB" if "VolumeSizeInGB" in resources else ""
    yield "time limit", f"{(raw.get('StoppingCondition') or {}).get('MaxRuntimeInSeconds', '')} s"
    yield "network isolation", str(bool(raw.get("EnableNetworkIsolation"))).lower()
    for name, value in sorted((raw.get("HyperParameters") or {}).items()):
        yield f"hyperparameter {name}", value
    for name, value in sorted((raw.get("Environment") or {}).items()):
        yield f"{_VARIABLE}{name}", value
    for channel in raw.get("InputDataConfig") or ():
        if channel["ChannelName"] not in (CHANNEL, LAYER_CHANNEL):
            yield f"input {channel['ChannelName']}", channel["DataSource"]["S3DataSource"]["S3Uri"]


_VARIABLE = "variable "


def _list_state(lock: JobLock) -> Iterator[tuple[str, str]]:
    for name, data in sorted((lock.get("data") or {}).items()):
        yield f"data {name}", _spell_data(data)
    yield "seed PYTHONHASHSEED", lock["seeds"].get("PYTHONHASHSEED") or ""
    yield "image digest", lock["image"]["digest"] or ""
    yield "image definition", lock["image"]["definition"] or ""
    for name, setting in lock["settings"].items():
        if name not in _TOLD_ALREADY:
            yield f"setting {name}", f"{_spell(setting['value'])} ({setting['origin']})"


def _spell_data(data: Mapping[str, Any]) -> str:
    if "digest" not in data:
        return str(data.get("note", ""))
    return f"{data['objects']} objects, {data['size_bytes']} bytes, {data['digest'][:_SHORT]}"


def _spell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _hide_values(row: DiffRow) -> DiffRow:
    """The value of an environment variable may be a secret."""
    if not row.what.startswith(_VARIABLE):
        return row
    if row.before and row.after:
        return DiffRow(what=row.what, before="(a value)", after="(another value)")
    return DiffRow(what=row.what, before="(a value)" if row.before else "", after="(a value)" if row.after else "")


def render_diff(found: Diff) -> str:
    """The table. Pure."""
    cells = [("what", found.before, found.after), *((row.what, row.before, row.after) for row in found.rows)]
    lines = [f"{found.before} and {found.after} are made of the same." if not found.rows else _render_rows(cells)]
    return "\n".join([*lines, *found.notes])


def _render_rows(cells: list[tuple[str, str, str]]) -> str:
    widths = [max(len(row[column]) for row in cells) for column in range(2)]
    return "\n".join(f"{what:<{widths[0]}}  {before:<{widths[1]}}  {after}".rstrip() for what, before, after in cells)
