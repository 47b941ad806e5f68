from __future__ import annotations

import io
import struct

import pytest

from sm_remote.service.engines.docker.logs import MAX_LINE_BYTES, join_lines, read_frames

AT = b"2026-11-21T10:50:04.170925458Z "
AT_MS = 1795258204170


def frame(content: bytes, kind: int = 1) -> bytes:
    return struct.pack(">BxxxL", kind, len(content)) + content


def join(*frames: tuple[int, bytes]) -> list[bytes]:
    return [line for _, line in join_lines(iter((kind, AT + content) for kind, content in frames))]


def test_frames_are_read_until_the_stream_ends_even_within_one():
    stream = io.BytesIO(frame(b"out\n") + frame(b"err\n", 2) + frame(b"broken off")[:-3])
    assert list(read_frames(stream)) == [(1, b"out\n"), (2, b"err\n")]


def test_a_line_bears_the_daemons_time():
    assert list(join_lines(iter([(1, AT + b"hello\n")]))) == [(AT_MS, b"hello")]


@pytest.mark.parametrize(
    ("stamp", "expected_ms"),
    [
        (b"2026-11-21T10:50:04.17Z", AT_MS),
        (b"2026-11-21T10:50:04Z", AT_MS - 170),
        (b"2026-11-21T10:50:04.000000001Z", AT_MS - 170),
        (b"1970-01-01T00:00:00.5Z", 500),
    ],
)
def test_times_may_have_any_number_of_digits(stamp, expected_ms):
    assert list(join_lines(iter([(1, stamp + b" x\n")]))) == [(expected_ms, b"x")]


def test_the_pieces_of_a_long_line_are_joined_though_the_other_stream_comes_between():
    assert join((1, b"a" * 10), (2, b"b\n"), (1, b"a" * 5 + b"\n")) == [b"b", b"a" * 15]


def test_a_line_that_does_not_end_comes_in_pieces_and_its_rest_at_the_end():
    assert join((1, b"x" * MAX_LINE_BYTES), (1, b"y")) == [b"x" * MAX_LINE_BYTES, b"y"]


def test_empty_lines_and_spaces_stay():
    assert join((1, b"\n"), (1, b"  two  \n")) == [b"", b"  two  "]
