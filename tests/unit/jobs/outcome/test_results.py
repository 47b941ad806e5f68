"""Outcomes that cannot be read end as errors of ours, and a blob that was altered is not relied on again."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from sm_remote.errors import CorruptBlob, CredentialsExpired, StorageError
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.jobs.outcome.results import OutOfReachError, _unpack_outcome, discard_corrupt, reaching
from sm_remote.storage import Store, open_store
from sm_remote.storage.store import NO_CREDENTIALS
from sm_remote.wire.digest import BlobRef, digest_bytes
from sm_remote.wire.layout import OUTCOME, blob_key

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


def test_a_store_that_has_lost_its_credentials_is_waited_for_until_somebody_signs_in() -> None:
    with pytest.raises(OutOfReachError) as caught, reaching():
        raise StorageError("Not read.", why="No AWS credentials were found.", code=NO_CREDENTIALS, missing=False)
    assert isinstance(caught.value.__cause__, CredentialsExpired)
    assert "aws sso login" in caught.value.__cause__.fix
