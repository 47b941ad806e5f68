"""Objects that are read in blocks."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.channels.block_cache import BlockCache
from sm_remote.service.storage.object_tree import StoredObject
from tests.fakes.service import wait_until

CONTENT = bytes(range(256)) * 4


def stored(size_bytes: int = len(CONTENT), key: str = "k") -> StoredObject:
    return StoredObject(key=key, size_bytes=size_bytes, etag="e", modified_at=0.0)


class Bucket:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.broken = 0

    def fetch(self, wanted: StoredObject, offset: int, size_bytes: int) -> bytes:
        self.asked.append((wanted.key, offset, size_bytes))
        if self.broken:
            self.broken -= 1
            raise OSError("connection reset")
        return CONTENT[: wanted.size_bytes][offset : offset + size_bytes]


@given(
    st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 300)), max_size=12),
    st.integers(0, len(CONTENT)),
    st.integers(1, 3),
)
def test_whatever_is_read_is_what_is_there(reads, size_bytes, blocks):
    cache = BlockCache(Bucket().fetch, block_bytes=64, blocks=blocks)
    for offset, size in reads:
        assert cache.read(stored(size_bytes), offset, size) == CONTENT[:size_bytes][offset : offset + size]


def test_a_file_that_is_read_in_small_pieces_is_fetched_in_large_ones_and_once():
    bucket = Bucket()
    cache = BlockCache(bucket.fetch, block_bytes=256)
    for offset in range(0, len(CONTENT), 16):
        cache.read(stored(), offset, 16)
    assert sorted(bucket.asked) == [("k", start, 256) for start in range(0, len(CONTENT), 256)]


def test_the_next_block_is_fetched_ahead_of_a_reader_that_goes_on_and_not_of_one_that_jumps():
    bucket = Bucket()
    cache = BlockCache(bucket.fetch, block_bytes=100)
    cache.read(stored(), 500, 10)
    assert bucket.asked == [("k", 500, 100)]
    cache.read(stored(), 600, 10)
    cache.read(stored(), 700, 10)
    wait_until(lambda: ("k", 800, 100) in bucket.asked)


def test_no_more_blocks_are_kept_than_allowed():
    bucket = Bucket()
    cache = BlockCache(bucket.fetch, block_bytes=100, blocks=2)
    for key in ("a", "b", "c", "a"):
        cache.read(stored(100, key), 0, 10)
    assert [key for key, _, _ in bucket.asked] == ["a", "b", "c", "a"]
    assert len(cache._kept) == 2


def test_a_failure_is_not_kept():
    bucket = Bucket()
    bucket.broken = 1
    cache = BlockCache(bucket.fetch)
    with pytest.raises(OSError, match="connection reset"):
        cache.read(stored(), 0, 10)
    assert cache.read(stored(), 0, 10) == CONTENT[:10]


def test_readers_of_the_same_block_at_the_same_time_share_one_request():
    bucket = Bucket()
    held = threading.Event()

    def fetch(wanted: StoredObject, offset: int, size_bytes: int) -> bytes:
        held.wait(120)
        return bucket.fetch(wanted, offset, size_bytes)

    cache = BlockCache(fetch)
    readers = [threading.Thread(target=cache.read, args=(stored(), 0, 10)) for _ in range(5)]
    for reader in readers:
        reader.start()
    held.set()
    for reader in readers:
        reader.join(120)
    assert len(bucket.asked) == 1
