"""What both stores promise: the same tests run over a directory and over a real S3 server."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from sm_remote.errors import StorageError
from sm_remote.storage import ObjectInfo
from sm_remote.storage.s3_upload import PART_BYTES

NASTY_KEYS = [
    "plain",
    "blobs/with/several/parts",
    "with space/and 'quotes'/\"two\"",
    "ünïcödé/日本語/🙂",
    "a+b%20c&d=e?f#g",
    "line\nbreak" if os.name == "posix" else "line",
    "...dots..",
]
REFUSED_KEYS = ["", "/absolute", "../up", "a/../b", "a/..", "./a", "a/./b", "a//b", "a/", "nul\0", "\ud800", "a" * 1025]


@pytest.mark.parametrize("key", [key for key in NASTY_KEYS if "\n" not in key])
def test_an_object_comes_back_under_any_key(store, key):
    assert store.put_if_absent(key, b"some bytes") is True
    assert store.get(key) == b"some bytes"
    assert store.fetch(key).read_bytes() == b"some bytes"
    assert store.head(key) == ObjectInfo(key=key, size_bytes=10)
    assert [info.key for info in store.list("")] == [key]
    assert store.uri(key) == f"{store.root_uri}/{key}"


@pytest.mark.parametrize("key", REFUSED_KEYS)
def test_a_key_that_could_lead_elsewhere_is_refused(store, key):
    for call in (store.get, store.fetch, store.head, store.delete, lambda key: store.put_if_absent(key, b"")):
        with pytest.raises(StorageError, match="refuses the key"):
            call(key)


def test_a_second_write_changes_nothing_and_says_so(store):
    assert store.put_if_absent("key", b"first") is True
    assert store.put_if_absent("key", b"second") is False
    assert store.get("key") == b"first"


def test_of_many_writers_at_once_exactly_one_wins(store):
    with ThreadPoolExecutor(12) as pool:
        won = list(pool.map(lambda n: store.put_if_absent("contested", bytes([n]) * 1000), range(12)))
    assert won.count(True) == 1
    assert store.get("contested") == bytes([won.index(True)]) * 1000


@pytest.mark.parametrize(
    "size",
    [0, 1, *(pytest.param(size, marks=pytest.mark.slow) for size in (PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5))],
)
def test_any_size_is_stored_from_memory_and_from_a_file(store, tmp_path, size):
    content = os.urandom(min(size, 4096)) * (size // 4096 + 1)
    content = content[:size]
    (tmp_path / "a file").write_bytes(content)
    assert store.put_if_absent("memory", memoryview(content))
    assert store.put_if_absent("file", tmp_path / "a file")
    assert store.fetch("memory").read_bytes() == content
    assert store.fetch("file").read_bytes() == content
    assert store.head("file").size_bytes == size


def test_a_large_object_that_is_there_is_not_replaced(store):
    sent: list[int] = []
    assert store.put_if_absent("large", bytes(PART_BYTES + 1), sent=sent.append) is True
    assert len(sent) > 1
    assert sum(sent) == PART_BYTES + 1
    assert store.put_if_absent("large", b"x" * (PART_BYTES + 1)) is False
    assert store.fetch("large").read_bytes() == bytes(PART_BYTES + 1)


def test_a_view_of_other_items_than_bytes_is_stored_as_its_bytes(store):
    from array import array

    assert store.put_if_absent("numbers", memoryview(array("d", [1.0, 2.0])))
    assert store.get("numbers") == array("d", [1.0, 2.0]).tobytes()


def test_what_is_fetched_cannot_be_written(store):
    store.put_if_absent("key", b"bytes")
    path = store.fetch("key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_not_there_is_absent_and_reading_it_is_an_error(store):
    assert store.head("absent") is None
    assert list(store.list("absent")) == []
    store.delete("absent")
    for call in (store.get, store.fetch):
        with pytest.raises(StorageError, match="There is no such object") as caught:
            call("absent")
        assert caught.value.facts["missing"] is True
        assert f"{store.root_uri}/absent" in str(caught.value)


def test_a_deleted_object_is_gone_and_can_be_written_again(store):
    store.put_if_absent("key", b"old")
    store.delete("key")
    assert store.head("key") is None
    assert store.put_if_absent("key", b"newer") is True
    assert store.fetch("key").read_bytes() == b"newer"


def test_fetch_gives_the_new_bytes_of_a_key_that_was_deleted_and_written_again(store):
    store.put_if_absent("key", b"old")
    store.fetch("key")
    store.delete("key")
    store.put_if_absent("key", b"new")
    assert store.fetch("key").read_bytes() == b"new"


def test_listing_takes_any_start_of_a_key_and_keeps_the_order_of_bytes(store):
    keys = ["a", "b/1", "b/10", "b/2", "b0", "c/d/e", "é"]
    for key in reversed(keys):
        store.put_if_absent(key, key.encode())
    assert [info.key for info in store.list("")] == keys
    assert [info.key for info in store.list("b")] == ["b/1", "b/10", "b/2", "b0"]
    assert [info.key for info in store.list("b/")] == ["b/1", "b/10", "b/2"]
    assert [info.key for info in store.list("b/1")] == ["b/1", "b/10"]
    assert [info.size_bytes for info in store.list("é")] == [2]


@pytest.mark.parametrize("prefix", ["/", "..", "../", "a/../", "a//"])
def test_a_listing_cannot_leave_the_store(store, prefix):
    with pytest.raises(StorageError, match="refuses the key"):
        list(store.list(prefix))


def test_a_source_file_that_is_missing_is_named(store, tmp_path):
    with pytest.raises(StorageError, match="cannot be stored") as caught:
        store.put_if_absent("key", tmp_path / "no such file")
    assert "no such file" in str(caught.value)
    assert store.head("key") is None
