"""Blobs: stored once, verified whenever they are read."""

import os
from dataclasses import replace

import pytest

from sm_remote.errors import CorruptBlob, StorageError
from sm_remote.storage import fetch_blob, put_blob
from sm_remote.wire.digest import CHUNK_BYTES, digest_bytes
from sm_remote.wire.layout import blob_key


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, pytest.param(2 * CHUNK_BYTES + 7, marks=pytest.mark.slow)]
)
def test_a_blob_is_filed_under_its_digest_and_comes_back(store, tmp_path, size):
    content = os.urandom(size)
    ref = put_blob(store, memoryview(content))
    assert (ref.digest, ref.size_bytes) == (digest_bytes(content), size)
    (tmp_path / "file").write_bytes(content)
    assert put_blob(store, tmp_path / "file") == ref
    assert fetch_blob(store, ref).read_bytes() == content
    assert [info.key for info in store.list("")] == [blob_key(ref.digest)]


def test_a_blob_that_is_there_is_not_written_again(store):
    ref = put_blob(store, b"the same")
    writes = []
    counting = _CountingStore(store, writes)
    assert put_blob(counting, b"the same") == ref
    assert writes == []


def test_a_blob_with_other_bytes_is_refused(store):
    ref = put_blob(store, b"promised")
    store.delete(blob_key(ref.digest))
    store.put_if_absent(blob_key(ref.digest), b"tampered")
    with pytest.raises(CorruptBlob, match="is not what was stored there") as caught:
        fetch_blob(store, ref)
    assert ref.digest in str(caught.value)
    assert "Delete " in caught.value.fix


def test_a_blob_of_another_size_is_refused_and_the_next_put_mends_it(store):
    ref = put_blob(store, b"promised")
    store.delete(blob_key(ref.digest))
    store.put_if_absent(blob_key(ref.digest), b"")
    with pytest.raises(CorruptBlob, match="0 bytes instead of 8"):
        fetch_blob(store, ref)
    assert put_blob(store, b"promised") == ref
    assert fetch_blob(store, ref).read_bytes() == b"promised"


def test_a_blob_that_is_missing_is_a_storage_error(store):
    ref = put_blob(store, b"gone soon")
    store.delete(blob_key(ref.digest))
    with pytest.raises(StorageError, match="no such object"):
        fetch_blob(store, ref)


def test_a_ref_with_a_wrong_size_is_refused(store):
    ref = put_blob(store, b"bytes")
    with pytest.raises(CorruptBlob):
        fetch_blob(store, replace(ref, size_bytes=4))


def test_a_missing_file_is_named(store, tmp_path):
    with pytest.raises(StorageError, match="cannot be stored"):
        put_blob(store, tmp_path / "absent")


class _CountingStore:
    def __init__(self, store, writes):
        self._store = store
        self._writes = writes

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put_if_absent(self, key, source):
        self._writes.append(key)
        return self._store.put_if_absent(key, source)
