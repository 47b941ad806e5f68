from __future__ import annotations

import pytest

from sm_remote.wire.digest import BlobRef
from sm_remote.wire.marker import format_marker, parse_marker, split_marker

OUTCOME = BlobRef(digest="0123456789abcdef" * 4, size_bytes=77)
JOB = "a" * 64
LINE = f"sm_remote outcome {OUTCOME.digest} 77 {'a' * 16}"


def test_the_marker_is_one_line():
    assert format_marker(OUTCOME, JOB) == LINE


@pytest.mark.parametrize("line", [LINE, LINE + "\n", LINE + "\r", "text without an end" + LINE])
def test_the_marker_is_found_at_the_end_of_a_line(line):
    assert parse_marker(line, JOB) == OUTCOME


def test_what_stands_before_it_is_the_jobs():
    assert split_marker("50 %" + LINE, JOB) == ("50 %", OUTCOME)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "sm_remote outcome ",
        LINE + " more",
        LINE.replace("a" * 16, "b" * 16),
        LINE.replace("77", "-7"),
        LINE.replace("77", "\u0667"),
        LINE.replace("0123", "012"),
        LINE.replace("0123", "012G"),
    ],
)
def test_anything_else_is_no_marker(line):
    assert parse_marker(line, JOB) is None
