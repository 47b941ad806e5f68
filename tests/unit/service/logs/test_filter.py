"""Filter patterns, and lines in the order of their times."""

from __future__ import annotations

import pytest

from sm_remote.service.logs.filter import merge_streams, parse_pattern
from sm_remote.service.logs.stream import find_time, iterate_from


@pytest.mark.parametrize(
    ("pattern", "line", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("a b", "b and a", True),
        ("a z", "b and a", False),
        ("?x ?y", "only y", True),
        ("?x ?y", "neither", False),
        ("a -b", "a b", False),
        ("a -b", "a c", True),
        ('"two words"', "two words", True),
        ('"two words"', "words two", False),
        (r'"a \" quote"', 'a " quote', True),
        ("%loss=[0-9]+%", "loss=12", True),
        ("%loss=[0-9]+%", "loss=x", False),
        ("-%loss%", "loss", False),
    ],
)
def test_a_pattern_is_that_of_cloudwatch(pattern, line, expected):
    assert parse_pattern(pattern)(line) is expected


@pytest.mark.parametrize("pattern", ["{ $.a = 1 }", "[a, b]", '"open', "%(%", "%open"])
def test_a_pattern_that_is_not_served_is_told_apart(pattern):
    with pytest.raises(ValueError):
        parse_pattern(pattern)


def write(path, *entries):
    path.write_bytes(b"".join(b"%d j %s\n" % entry for entry in entries))
    return path


def test_a_time_is_found_and_nothing_of_it_is_passed_over(tmp_path):
    path = write(tmp_path / "a.log", *((1000 * number, b"x" * (number % 50)) for number in range(1000)))
    for wanted in (0, 1, 500_000, 999_000, 10_000_000):
        rest = [event.timestamp_ms for _, event in iterate_from(path, find_time(path, wanted))]
        assert [each for each in rest if each >= wanted] == list(range(-(-wanted // 1000) * 1000, 1_000_000, 1000))
        assert len(rest) <= sum(each >= wanted for each in rest) + 61


def test_an_empty_log_has_no_time(tmp_path):
    assert find_time(write(tmp_path / "a.log"), 5) == 0


def test_streams_are_merged_by_time(tmp_path):
    one = write(tmp_path / "1.log", (1, b"a"), (4, b"d"))
    two = write(tmp_path / "2.log", (2, b"b"), (3, b"c"), (5, b"e"))
    found = list(merge_streams({"1": (one, 0), "2": (two, 0)}, 0))
    assert "".join(each.event.message for each in found) == "abcde"
    rest = merge_streams({"1": (one, found[0].end), "2": (two, found[2].end)}, 0)
    assert "".join(each.event.message for each in rest) == "de"


def test_a_line_that_is_being_written_is_left_for_later(tmp_path):
    path = write(tmp_path / "a.log", (1, b"a"))
    with path.open("ab") as file:
        file.write(b"2 j unfin")
    assert [event.message for _, event in iterate_from(path, 0)] == ["a"]
