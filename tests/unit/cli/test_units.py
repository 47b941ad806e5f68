from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from sm_remote.cli.units import render_age, render_bytes, render_duration, render_moment

NOW = datetime(2026, 11, 21, 9, 15, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (0.314, "0.31 s"),
        (1, "1.0 s"),
        (42.4, "42 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (273600, "3 d 04 h"),
    ],
)
def test_a_duration_reads_in_its_largest_units(seconds: float, words: str) -> None:
    assert render_duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "now"),
        (0, "now"),
        (42, "42 s ago"),
        (199, "3 min ago"),
        (18000, "5 h ago"),
        (6 * 86400, "6 d ago"),
        (20 * 86400, "2026-11-01"),
    ],
)
def test_an_age_is_relative_until_it_is_old(seconds: float, words: str) -> None:
    assert render_age(NOW - timedelta(seconds=seconds), NOW) == words


def test_a_moment_is_shown_in_utc() -> None:
    there = timezone(timedelta(hours=2))
    assert render_moment(NOW.astimezone(there)) == "2026-11-21T09:15:00Z"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (812, "812 bytes"), (1536, "1.5 KiB"), (2**40, "1.0 TiB"), (20 * 2**30, "20.0 GiB")],
)
def test_a_size_reads_in_binary_units(count: int, words: str) -> None:
    assert render_bytes(count) == words
