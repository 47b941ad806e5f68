"""Turns keep to the quota whoever takes them, and throttling makes them rarer for a while."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sm_remote.aws.pace import (
    QUOTAS,
    RECOVERY_S,
    SLOWER,
    SLOWEST,
    Quota,
    Turns,
    find_rate,
    slow_down,
    take_turn,
)

LIST = QUOTAS["ListTrainingJobs"]
quotas = st.builds(Quota, rate_per_s=st.floats(0.5, 30), burst=st.integers(1, 10))
chances = st.floats(0, 1)


@given(quotas, st.lists(st.tuples(st.floats(0, 3), chances, st.booleans()), min_size=1, max_size=80))
def test_no_stretch_of_time_has_more_turns_than_the_quota(quota, asked):
    turns, now, given_at = Turns(), 1000.0, []
    for pause_s, chance, is_throttled in asked:
        now += pause_s
        if is_throttled:
            turns = slow_down(turns, quota, now)
        turns, at = take_turn(turns, quota, now, chance)
        assert at >= now
        given_at.append(at)
    given_at.sort()
    for first, start in enumerate(given_at):
        for last in range(first, len(given_at)):
            assert last - first + 1 <= quota.burst + (given_at[last] - start) * quota.rate_per_s + 1e-6


@given(quotas, st.lists(chances, min_size=2, max_size=40))
def test_who_asks_first_has_the_first_turn(quota, asked):
    turns, given_at = Turns(), []
    for chance in asked:
        turns, at = take_turn(turns, quota, 1000.0, chance)
        given_at.append(at)
    assert given_at == sorted(given_at)


def test_lists_are_half_a_second_apart_at_least():
    turns, first = take_turn(Turns(), LIST, 1000.0, 0.0)
    turns, second = take_turn(turns, LIST, 1000.0, 0.0)
    _, third = take_turn(turns, LIST, 1000.1, 1.0)
    assert (first, second, third) == (1000.0, 1000.5, 1001.0)


def test_throttling_slows_the_pace_once_and_time_brings_it_back():
    turns = slow_down(Turns(), LIST, 1000.0)
    slow = SLOWER * LIST.rate_per_s
    assert find_rate(turns, LIST, 1000.0) == slow
    assert slow_down(turns, LIST, 1000.5) == turns
    assert find_rate(slow_down(turns, LIST, 1001.0), LIST, 1001.0) < slow
    assert slow < find_rate(turns, LIST, 1000 + RECOVERY_S / 10) < LIST.rate_per_s
    assert find_rate(turns, LIST, 1000 + RECOVERY_S) == LIST.rate_per_s
    for second in range(1, 100):
        turns = slow_down(turns, LIST, 1000.0 + second)
    assert SLOWEST * LIST.rate_per_s <= find_rate(turns, LIST, 1099.0) < 0.7 * slow


def test_followers_of_logs_have_equal_shares():
    quota, turns, now, counts = QUOTAS["GetLogEvents"], Turns(), 1000.0, dict.fromkeys(range(50), 0)
    waiting = []
    for follower in counts:
        turns, at = take_turn(turns, quota, now, 0.5)
        waiting.append((at, follower))
    for _ in range(500):  # whose turn it is asks for the next one at once
        waiting.sort()
        now, follower = waiting.pop(0)
        counts[follower] += 1
        turns, at = take_turn(turns, quota, now, 0.5)
        waiting.append((at, follower))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_clock_that_was_set_back_makes_nobody_wait_for_hours():
    turns, _ = take_turn(Turns(), LIST, 1_000_000.0, 0.0)
    _, at = take_turn(turns, LIST, 1_000_000.0 - 240.0, 0.0)
    assert at == 1_000_000.0 - 240.0
    assert slow_down(turns, LIST, 1_000_000.0 - 240.0).full_at < 1_000_000.0 - 230.0


def test_a_queue_of_many_minutes_keeps_its_order():
    turns, last = Turns(), 0.0
    for _ in range(1000):
        turns, at = take_turn(turns, LIST, 1000.0, 0.0)
        assert at > last
        last = at
    assert last > 1000.0 + 400.0
