"""Statistics by period."""

from __future__ import annotations

import pytest

from sm_remote.service.metrics.aggregation import (
    compute_statistic,
    floor_to_minute,
    group_by_period,
    is_period,
    is_statistic,
)


def test_values_are_grouped_by_the_beginning_of_their_period():
    points = [(65_000, 3.0), (0, 1.0), (59_999, 2.0), (60_000, 4.0)]
    assert group_by_period(points, 60) == {0: [1.0, 2.0], 60_000: [3.0, 4.0]}
    assert list(group_by_period(points, 1)) == [0, 59_000, 60_000, 65_000]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SampleCount", 4),
        ("Average", 2.5),
        ("Sum", 10),
        ("Minimum", 1),
        ("Maximum", 4),
        ("p0", 1),
        ("p50", 2.5),
        ("p100", 4),
        ("p99.9", 3.997),
    ],
)
def test_statistics_are_those_of_cloudwatch(name, expected):
    assert is_statistic(name)
    assert compute_statistic(name, [4.0, 1.0, 3.0, 2.0]) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["", "average", "tm90", "p", "p101", "p-1"])
def test_other_statistics_are_not_served(name):
    assert not is_statistic(name)
    with pytest.raises(ValueError):
        compute_statistic(name, [1.0])


def test_periods_are_those_of_cloudwatch():
    assert [each for each in range(-1, 130) if is_period(each)] == [1, 5, 10, 20, 30, 60, 120]


def test_a_time_begins_at_its_minute():
    assert floor_to_minute(119_999) == 60_000
