from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sm_remote.wire.digest import CHUNK_BYTES, BlobRef, Hasher, HashingWriter, digest_bytes, digest_file, flat_view

BIG = bytes(range(256)) * (2 * CHUNK_BYTES // 256 + 5)


def by_the_book(content: bytes) -> str:
    """docs/wire-format.md, word for word."""
    if len(content) <= CHUNK_BYTES:
        return hashlib.sha256(content).hexdigest()
    chunks = [content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES)]
    parts = b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)
    return hashlib.sha256(b"sm_remote/tree/v1\0" + len(content).to_bytes(8, "little") + parts).hexdigest()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, len(BIG)])
def test_buffers_and_files_have_the_documented_digest(tmp_path, size):
    content = BIG[:size]
    (tmp_path / "file").write_bytes(content)
    assert digest_bytes(content) == digest_file(tmp_path / "file") == by_the_book(content)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 2 * CHUNK_BYTES), max_size=3))
def test_the_digest_does_not_depend_on_how_the_content_comes(cuts):
    hasher = Hasher()
    position = 0
    for cut in cuts:
        hasher.update(memoryview(BIG)[position : position + cut])
        position += cut
    hasher.update(BIG[position:])
    assert hasher.digest() == by_the_book(BIG)
    assert hasher.size_bytes == len(BIG)


def test_a_hashing_writer_knows_what_it_wrote():
    file = io.BytesIO()
    writer = HashingWriter(file)
    writer.write(b"head")
    assert writer.write(BIG) == len(BIG)
    assert file.getvalue() == b"head" + BIG
    assert writer.ref() == BlobRef(digest=by_the_book(b"head" + BIG), size_bytes=4 + len(BIG))


def test_buffers_of_any_form_are_seen_as_bytes():
    numbers = memoryview(bytearray(b"\1\2\3\4")).cast("H").cast("B").cast("H", (2, 1))
    assert bytes(flat_view(numbers)) == b"\1\2\3\4"
    assert flat_view(memoryview(b"").cast("H")).nbytes == 0
