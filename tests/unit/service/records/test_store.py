"""The database: what is acknowledged is there, ends are final, and what cannot be read is left alone."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sm_remote.errors import StorageError
from sm_remote.service.engines.engine import ContainerExit
from sm_remote.service.jobs.endings import with_end, with_uploading
from sm_remote.service.records.attempts import AttemptEnd, AttemptRecord
from sm_remote.service.records.job import Metric, Phase, StopCause
from sm_remote.service.records.store import JobStore, NameTakenError, NoSuchJobError, Page
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

EVERYTHING = Page(column="created_at", descending=False, after=None, conditions=(), limit=1000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.sqlite"


@pytest.fixture
def store(path):
    opened = JobStore(path, lambda name, record: None)
    yield opened
    opened.close()


def complete(store: JobStore, name: str) -> None:
    def finish(record):
        record = record.advanced(Status.IN_PROGRESS, Secondary.TRAINING, "", 2.0)
        return with_end(with_uploading(record, 2.0), None, 3.0)

    store.change(name, finish, 3.0)


def test_a_record_comes_back_as_it_was_after_everything_of_it_changed(store, path):
    store.insert("fit", {"a": [1, {"b": None}]}, {"k": "v"}, 1.5)

    def change(record):
        return replace(
            record,
            phase=Phase.COLLECTING,
            attempts=(
                AttemptRecord(
                    number=1, started_at=1.0, streams={"algo-1": "algo-1-7"}, end=AttemptEnd.INTERRUPTED, ended_at=2.0
                ),
                AttemptRecord(
                    number=2,
                    started_at=2.0,
                    streams={"algo-1": "algo-1-8", "algo-2": "algo-2-8"},
                    exits={"algo-2": ContainerExit(code=137, out_of_memory=True, peak_memory_bytes=5)},
                ),
            ),
            stop_cause=StopCause.MAX_RUNTIME,
            metrics=(Metric(name="loss", value=0.5, timestamp=2.0),),
            failure_reason="naïve ☃",
        )

    written = store.change("fit", change, 2.5)
    assert store.find("fit") == written
    again = JobStore(path, lambda name, record: None)
    assert again.find("fit") == written
    assert again.version == store.version == 2
    again.close()


_DETAIL_OF_ONE_ATTEMPT = {
    "tags": {"k": "v"},
    "state": {
        "status": "InProgress",
        "secondary": "Training",
        "transitions": [
            {"status": "Starting", "start": 100.0, "end": 102.0, "message": "Starting the training job"},
            {"status": "Training", "start": 102.0, "end": None, "message": "Training in progress"},
        ],
    },
    "phase": "running",
    "attempt": 1,
    "stream": "algo-1-101",
    "training_started_at": 101.0,
    "container_started_at": 102.0,
    "training_ended_at": None,
    "stop_cause": None,
    "exit": None,
    "failure_reason": None,
    "model_artifacts": None,
    "metrics": [],
}
"""A job's row as it was written when a job could have one attempt on one host only."""
_ENDED = {
    "state": {
        "status": "Failed",
        "secondary": "Failed",
        "transitions": [{"status": "Failed", "start": 110.0, "end": 110.0, "message": "Training job failed"}],
    },
    "phase": "ended",
    "training_ended_at": 110.0,
    "exit": {"code": 1, "out_of_memory": False, "peak_memory_bytes": None},
    "failure_reason": "AlgorithmError: no",
    "metrics": [{"name": "loss", "value": 0.5, "timestamp": 105.0}],
}
_QUEUED = {
    "state": {
        "status": "InProgress",
        "secondary": "Starting",
        "transitions": [{"status": "Starting", "start": 100.0, "end": None, "message": "Starting the training job"}],
    },
    "phase": "queued",
    "attempt": 0,
    "stream": None,
    "training_started_at": None,
    "container_started_at": None,
}


def write_early_row(path: Path, changes: Mapping[str, object]) -> None:
    detail = {**_DETAIL_OF_ONE_ATTEMPT, **changes}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE jobs SET detail=?, status=?", (json.dumps(detail, separators=(",", ":")), detail["state"]["status"])
        )


@pytest.mark.parametrize(
    ("changes", "attempts"),
    [
        (_QUEUED, ()),
        (
            {},
            (AttemptRecord(number=1, started_at=101.0, streams={"algo-1": "algo-1-101"}, container_started_at=102.0),),
        ),
        (
            _ENDED,
            (
                AttemptRecord(
                    number=1,
                    started_at=101.0,
                    streams={"algo-1": "algo-1-101"},
                    container_started_at=102.0,
                    ended_at=110.0,
                    exits={"algo-1": ContainerExit(code=1)},
                ),
            ),
        ),
    ],
    ids=["queued", "running", "ended"],
)
def test_a_row_of_before_there_were_attempts_and_hosts_is_read_and_written_anew(store, path, changes, attempts):
    store.insert("fit", {"a": 1}, {"k": "v"}, 100.0)
    write_early_row(path, changes)
    record = store.find("fit")
    assert (record.attempts, record.tags, record.pool) == (attempts, {"k": "v"}, None)
    assert record.stream == ("algo-1-101" if attempts else None)
    assert (record.failure_reason, record.training_ended_at) == (
        changes.get("failure_reason"),
        changes.get("training_ended_at"),
    )
    assert [metric.value for metric in record.metrics] == ([0.5] if "metrics" in changes else [])
    assert store.list_pools() == []
    assert store.change("fit", lambda old: replace(old, tags={"k": "w"}), 111.0) == store.find("fit")
    assert (
        replace(store.find("fit"), tags=record.tags, version=record.version, modified_at=record.modified_at) == record
    )


def test_every_change_takes_the_next_number_of_one_counter(store):
    one = store.insert("one", {}, {}, 1.0)
    two = store.insert("two", {}, {}, 1.0)
    changed = store.change("one", lambda record: replace(record, model_artifacts="m"), 1.0)
    assert [one.version, two.version, changed.version, store.version] == [1, 2, 3, 3]


def test_the_counter_does_not_go_back_when_the_last_job_is_deleted(store, path):
    store.insert("one", {}, {}, 1.0)
    store.delete("one")
    again = JobStore(path, lambda name, record: None)
    assert again.version == 2
    again.close()


def test_a_function_that_changes_nothing_takes_no_number(store):
    store.insert("one", {}, {}, 1.0)
    store.change("one", lambda record: record, 1.0)
    assert store.version == 1


def test_a_change_that_raises_leaves_everything_as_it_was(store):
    before = store.insert("one", {}, {}, 1.0)
    with pytest.raises(ZeroDivisionError):
        store.change("one", lambda record: 1 / 0, 1.0)
    assert store.find("one") == before
    assert store.version == 1


def test_listeners_hear_of_a_change_after_it_can_be_read(path):
    heard = []
    store = JobStore(path, lambda name, record: heard.append((name, record and store.find(name).version)))
    store.insert("one", {}, {}, 1.0)
    store.change("one", lambda record: replace(record, model_artifacts="m"), 1.0)
    store.delete("one")
    assert heard == [("one", 1), ("one", 2), ("one", None)]
    store.close()


def test_a_name_can_be_taken_once_whatever_the_case_of_its_letters(store):
    store.insert("Fit", {}, {}, 1.0)
    with pytest.raises(NameTakenError):
        store.insert("fIT", {}, {}, 1.0)
    assert store.find_folded("fit").name == "Fit"
    with pytest.raises(NoSuchJobError):
        store.find("fit")


def test_of_many_threads_that_insert_one_name_one_succeeds(store):
    winners = []

    def insert():
        with suppress(NameTakenError):
            winners.append(store.insert("fit", {}, {}, 1.0))

    threads = [threading.Thread(target=insert) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
    assert len(store.list_page(EVERYTHING)) == 1


def test_the_database_itself_refuses_to_overwrite_a_terminal_status(store, path):
    store.insert("fit", {"OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/x"}}, {}, 1.0)
    complete(store, "fit")
    raw = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="a terminal status is final"):
        raw.execute("UPDATE jobs SET status='Failed'")
    raw.close()


def test_what_is_unfinished_is_listed_oldest_first(store):
    for name in ("b", "a", "c"):
        store.insert(name, {}, {}, 1.0)
    store.mark_cleaned("a")
    assert [record.name for record in store.list_unfinished()] == ["b", "c"]


def test_the_file_and_its_journal_are_the_owners_alone(store, path):
    store.insert("fit", {}, {}, 1.0)
    files = list(path.parent.glob("jobs.sqlite*"))
    assert len(files) == 3
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_it_is_written_ahead_and_synced_in_full(store):
    assert store._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store._writer.execute("PRAGMA synchronous").fetchone()[0] == 2


@pytest.mark.parametrize("content", [b"not a database at all" * 400, b"\0" * 8192])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(StorageError, match="cannot be read"):
        JobStore(path, lambda name, record: None)
    assert path.read_bytes() == content


def test_a_damaged_page_is_refused(path):
    store = JobStore(path, lambda name, record: None)
    for number in range(40):
        store.insert(f"fit-{number}", {"a": "x" * 3000}, {}, 1.0)
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 3 * 4096 + 2000] = b"\xff" * 2000
    path.write_bytes(content)
    with pytest.raises(StorageError, match="cannot be read"):
        JobStore(path, lambda name, record: None)
    assert path.read_bytes() == content


def test_a_database_of_a_newer_version_is_refused_and_left_alone(path):
    JobStore(path, lambda name, record: None).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version=99")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="schema 99") as caught:
        JobStore(path, lambda name, record: None)
    assert "Upgrade" in caught.value.fix
    assert path.read_bytes() == before
