"""How often an operation may be asked for: turns in a token bucket, slower after each throttling. Pure.

A turn is taken before a request is sent, by whoever sends it: this process's threads, or all processes of this machine
where the state is a shared file (`sm_remote.aws.pacing`). Whoever asks earlier has the earlier turn, so that many
followers of logs have a share each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

JITTER = 0.2
"""By how much of itself a pause may be longer, so that machines that were throttled together do not come together."""
SLOWER = 0.85
"""What a ThrottlingException leaves of a pace."""
SLOWEST = 0.05
"""Of the quota: what is left of it in the end, where others use up the account's."""
RECOVERY_S = 10.0
"""In this time without throttling a pace grows by the whole quota again."""
SAME_THROTTLING_S = 1.0
CLOCK_SKEW_S = 1.0
"""Turns that were given so much later than now were given by another clock, and do not count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """What an account may ask for.

    Attributes:
        rate_per_s: In the long run.
        burst: How many requests may be sent at once after a rest.
    """

    rate_per_s: float
    burst: int = 1


QUOTAS: Mapping[str, Quota] = {
    # Source: aws-solutions/deepracer-on-aws, issue 87: two requests a second for the account, and not adjustable.
    "ListTrainingJobs": Quota(rate_per_s=2.0),
    # Source: CloudWatch Logs quotas: 25 requests a second for the account and region; some are left to others.
    "GetLogEvents": Quota(rate_per_s=20.0, burst=5),
    # Source: re:Post, "How do I determine throttling in my CloudWatch logs?": 5 a second, and not adjustable.
    "FilterLogEvents": Quota(rate_per_s=2.0, burst=2),
    # AWS publishes no figures for the rest: these are ours, and throttling lowers them.
    "DescribeLogStreams": Quota(rate_per_s=5.0, burst=5),
    "DescribeTrainingJob": Quota(rate_per_s=10.0, burst=10),
    "CreateTrainingJob": Quota(rate_per_s=10.0, burst=10),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Turns:
    """Where an operation stands.

    Attributes:
        full_at: When the bucket will be full again; in seconds, of any clock that all who share it have.
        slowed_at: When it was last throttled.
        slowed_to: The rate a second from there on; None where it never was.
        written_at: When this was written down.
    """

    full_at: float = 0.0
    slowed_at: float = 0.0
    slowed_to: float | None = None
    written_at: float = 0.0


def find_rate(turns: Turns, quota: Quota, now: float) -> float:
    """How many requests a second are sent now."""
    if turns.slowed_to is None:
        return quota.rate_per_s
    rested_s = max(0.0, now - turns.slowed_at)
    return min(quota.rate_per_s, turns.slowed_to + quota.rate_per_s * rested_s / RECOVERY_S)


def take_turn(turns: Turns, quota: Quota, now: float, chance: float) -> tuple[Turns, float]:
    """Takes the next turn: (what is left, when it is).

    Args:
        turns: What is left.
        quota: Of the operation.
        now: In seconds.
        chance: From 0 to 1, for the jitter.
    """
    between_s = 1.0 / find_rate(turns, quota, now)
    full_at = turns.full_at if turns.written_at <= now + CLOCK_SKEW_S else now
    at = max(now, full_at - (quota.burst - 1) * between_s)
    left = replace(turns, full_at=max(full_at, at) + (1.0 + JITTER * chance) * between_s, written_at=now)
    return left, at


def slow_down(turns: Turns, quota: Quota, now: float) -> Turns:
    """What is left after a ThrottlingException; several that come together are one."""
    if turns.slowed_to is not None and 0 <= now - turns.slowed_at < SAME_THROTTLING_S:
        return turns
    rate = max(SLOWEST * quota.rate_per_s, SLOWER * find_rate(turns, quota, now))
    # No burst either: the account's bucket is empty.
    full_at = now + quota.burst / rate
    if turns.written_at <= now + CLOCK_SKEW_S:
        full_at = max(turns.full_at, full_at)
    return Turns(full_at=full_at, slowed_at=now, slowed_to=rate, written_at=now)
