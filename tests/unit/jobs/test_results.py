"""Outcomes that cannot be read end as errors of ours, and a blob that was altered is not relied on again."""

from __future__ import annotations

import io
import tarfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.errors import CorruptBlob, StorageError
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.jobs.results import (
    _build_failed,
    _explain_missing_module,
    _unpack_outcome,
    build_out_of_memory,
    discard_corrupt,
    explain_missing_file,
    render_reason,
)
from sm_remote.storage import Store, open_store
from sm_remote.wire.digest import BlobRef, digest_bytes
from sm_remote.wire.layout import OUTCOME, blob_key
from sm_remote.wire.outcome import Frame, OutcomeHeader, RemoteException

MARKER = BlobRef(digest="0" * 64, size_bytes=1)


def write_archive(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("other")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))


@pytest.mark.parametrize("damage", ["no archive", "cut off", "another file"])
def test_an_archive_without_the_outcome_is_an_error_of_the_store(tmp_path: Path, damage: str) -> None:
    archive = tmp_path / "output.tar.gz"
    write_archive(archive)
    if damage == "no archive":
        archive.write_bytes(b"nothing of the kind")
    elif damage == "cut off":
        archive.write_bytes(archive.read_bytes()[:40])
    with pytest.raises(StorageError):
        _unpack_outcome(archive, MARKER)


def test_no_more_is_unpacked_than_the_job_wrote(tmp_path: Path) -> None:
    archive = tmp_path / "output.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo(OUTCOME)
        info.size = 50_000_000
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    assert _unpack_outcome(archive, BlobRef(digest="0" * 64, size_bytes=1000)).stat().st_size == 1001


@pytest.fixture
def store(home: Home) -> Store:
    return open_store(f"s3://{LOCAL_BUCKET}/root", home=home, s3_client_factory=dict)


def test_an_altered_blob_is_deleted_so_that_the_next_call_stores_it_anew(store: Store) -> None:
    digest = digest_bytes(b"as it was sent")
    store.put_if_absent(blob_key(digest), b"as it has become")
    discard_corrupt(CorruptBlob("refused", digest=digest), store)
    assert store.head(blob_key(digest)) is None


def test_a_blob_that_is_what_it_should_be_stays_whatever_a_job_says(store: Store) -> None:
    digest = digest_bytes(b"as it was sent")
    store.put_if_absent(blob_key(digest), b"as it was sent")
    discard_corrupt(CorruptBlob("refused", digest=digest), store)
    discard_corrupt(CorruptBlob("refused", digest="../../identity"), store)
    discard_corrupt(CorruptBlob("refused"), store)
    assert store.head(blob_key(digest)) is not None


DESCRIPTION = parse_description(
    {
        "TrainingJobName": "fit-1",
        "TrainingJobArn": "",
        "TrainingJobStatus": "Failed",
        "SecondaryStatus": "Failed",
        "CreationTime": datetime(2026, 11, 21, tzinfo=timezone.utc),
        "ResourceConfig": {"InstanceType": "ml.m5.large"},
    }
)


@pytest.mark.parametrize(
    ("limit", "peak", "shown"),
    [
        (8 << 30, 15 << 29, "used 7.5 GiB, limit 8.0 GiB, ml.m5.large"),
        (None, 14 << 20, "used 14 MiB, ml.m5.large"),
        (None, None, "ml.m5.large"),
    ],
)
def test_what_is_not_known_of_memory_is_not_said(limit: int | None, peak: int | None, shown: str) -> None:
    error = build_out_of_memory(DESCRIPTION, limit_bytes=limit, peak_bytes=peak)
    assert error.what == f"Training job fit-1 ran out of memory ({shown})."


def test_a_failure_without_a_note_has_no_empty_line() -> None:
    raised = RemoteException(
        type="builtins.SystemExit", text="0", frames=(Frame(filename="a.py", name="g", lineno=3, line="exit(0)"),)
    )
    header = OutcomeHeader(kind="exception", python="3.11.7", started=1.0, ended=2.0, chain=(raised,))
    assert str(_build_failed(DESCRIPTION, header)).splitlines() == [
        "Training job fit-1 failed: SystemExit: 0",
        "  at a.py:3 in g: exit(0)",
        "See the log: `sm-remote logs fit-1`.",
    ]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("AlgorithmError: ValueError: no data, exit code: 1", "ValueError: no data"),
        ("AlgorithmError: one line\nand another, exit code: 137", "one line\nand another"),
        ("AlgorithmError: , exit code: 3", "AlgorithmError: , exit code: 3"),
        ("ClientError: Data download failed: no such key", "ClientError: Data download failed: no such key"),
    ],
)
def test_a_reason_is_shown_in_the_jobs_own_words_where_there_are_any(reason: str, shown: str) -> None:
    assert render_reason(reason) == shown


@pytest.mark.parametrize(("module", "told"), [("json.nothing", "is installed here"), ("pandsa.core", "not installed")])
def test_a_missing_module_is_looked_for_here_before_advice_is_given(module: str, told: str) -> None:
    error = _explain_missing_module(DESCRIPTION, ModuleNotFoundError(name=module), module)
    assert told in error.why
    assert f"dependencies=['{module.partition('.')[0]}']" in error.fix


def test_a_file_that_stayed_here_is_explained_and_one_that_is_nowhere_is_not(tmp_path: Path) -> None:
    here, nowhere = tmp_path / "rows.csv", tmp_path / "absent.csv"
    here.write_text("")
    errors = [FileNotFoundError(2, "No such file or directory", str(path)) for path in (here, nowhere)]
    for error in errors:
        explain_missing_file(error)
    assert "files do not travel" in errors[0].__notes__[0]
    assert not hasattr(errors[1], "__notes__")
