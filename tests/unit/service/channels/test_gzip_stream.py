"""Gzip, piece by piece."""

from __future__ import annotations

import gzip
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.channels.gzip_stream import decompress


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(1, 60))
def test_all_members_come_out_however_the_file_was_cut(members, size):
    data = b"".join(gzip.compress(member) for member in members)
    assert b"".join(decompress(cut(data, size))) == b"".join(members)


def test_what_expands_a_thousandfold_comes_in_small_pieces():
    content = bytes(64 << 20)
    sizes = [len(piece) for piece in decompress([gzip.compress(content)])]
    assert sum(sizes) == len(content)
    assert max(sizes) <= 1 << 20


def test_what_does_not_compress_comes_out_whole():
    content = os.urandom(3 << 20)
    assert b"".join(decompress(cut(gzip.compress(content), 1 << 20))) == content


@pytest.mark.parametrize("data", [b"no gzip at all", gzip.compress(b"content")[:-5], gzip.compress(b"a") + b"rubbish"])
def test_what_is_not_a_whole_gzip_file_is_an_error(data):
    with pytest.raises(ValueError, match="gzip"):
        list(decompress([data]))


def test_an_empty_object_has_no_content():
    assert list(decompress([])) == []
