"""Blobs: stored once, under the digest of their bytes."""

import os

import pytest

from sm_remote.errors import CorruptBlob, StorageError
from sm_remote.storage import put_blob
from sm_remote.wire.digest import CHUNK_BYTES, BlobRef, digest_bytes
from sm_remote.wire.layout import blob_key
from tests.stored_blobs import fetch_blob


def refer(content: bytes) -> BlobRef:
    return BlobRef(digest=digest_bytes(content), size_bytes=len(content))


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, pytest.param(2 * CHUNK_BYTES + 7, marks=pytest.mark.slow)]
)
def test_a_blob_is_filed_under_its_digest_and_comes_back(store, tmp_path, size):
    content = os.urandom(size)
    ref = refer(content)
    assert put_blob(store, memoryview(content), ref) == size
    (tmp_path / "file").write_bytes(content)
    assert put_blob(store, tmp_path / "file", ref) == 0
    assert fetch_blob(store, ref).read_bytes() == content
    assert [info.key for info in store.list("")] == [blob_key(ref.digest)]


def test_a_blob_that_is_there_is_not_written_again(store):
    ref = refer(b"the same")
    assert put_blob(store, b"the same", ref) == 8
    writes = []
    assert put_blob(_CountingStore(store, writes), b"the same", ref) == 0
    assert writes == []


def test_a_blob_of_another_size_is_mended_by_the_next_put(store):
    ref = refer(b"promised")
    store.put_if_absent(blob_key(ref.digest), b"")
    assert put_blob(store, b"promised", ref) == 8
    assert fetch_blob(store, ref).read_bytes() == b"promised"


def test_memory_that_changes_while_it_is_sent_is_not_kept_and_the_error_names_the_cause(store):
    memory = bytearray(b"promised")
    ref = refer(bytes(memory))
    memory[0:1] = b"P"  # another thread, between hashing and writing
    with pytest.raises(CorruptBlob, match="changed while it was being sent") as caught:
        put_blob(store, memoryview(memory), ref)
    assert "another thread writes to an array" in caught.value.why
    assert store.head(blob_key(ref.digest)) is None
    assert put_blob(store, b"promised", ref) == 8


def test_a_missing_file_is_named(store, tmp_path):
    with pytest.raises(StorageError, match="cannot be stored"):
        put_blob(store, tmp_path / "absent", refer(b"absent"))


class _CountingStore:
    def __init__(self, store, writes):
        self._store = store
        self._writes = writes

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put_if_absent(self, key, source, **kwargs):
        self._writes.append(key)
        return self._store.put_if_absent(key, source, **kwargs)
