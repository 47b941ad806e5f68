"""RecordIO's framing."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.channels.record_io import MAX_BYTES, build_header, build_padding


def read_records(data: bytes) -> list[bytes]:
    """Reads as AWS's and MXNet's own readers do."""
    found, at = [], 0
    while at < len(data):
        magic, word = struct.unpack_from("<II", data, at)
        assert magic == 0xCED7230A
        assert word >> 29 == 0
        found.append(data[at + 8 : at + 8 + word])
        at += 8 + (word + 3) // 4 * 4
    assert at == len(data)
    return found


@given(st.lists(st.binary(max_size=50)))
def test_a_reader_gets_back_what_was_wrapped(contents):
    data = b"".join(build_header(len(each)) + each + build_padding(len(each)) for each in contents)
    assert read_records(data) == contents


def test_what_no_record_can_hold_is_refused():
    build_header(MAX_BYTES)
    with pytest.raises(ValueError, match="more than a RecordIO record can hold"):
        build_header(MAX_BYTES + 1)
