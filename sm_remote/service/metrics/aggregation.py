"""Statistics of datapoints by period, as CloudWatch has them. Pure.

Source: Amazon CloudWatch User Guide, "Statistics definitions"; API_MetricStat (Period); API_GetMetricData (StartTime).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

_MINUTE_MS = 60_000
_SHORT_PERIODS_S = (1, 5, 10, 20, 30)
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{0,10})?|100)")
SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def is_period(period_s: int) -> bool:
    """Whether CloudWatch knows this period."""
    return period_s in _SHORT_PERIODS_S or (period_s > 0 and period_s % 60 == 0)


def is_statistic(name: str) -> bool:
    """Whether it is served: one of `SIMPLE`, or a percentile such as ``p99.9``."""
    return name in SIMPLE or _PERCENTILE.fullmatch(name) is not None


def floor_to_minute(timestamp_ms: int) -> int:
    """Where CloudWatch begins when it is asked to begin at a time."""
    return timestamp_ms // _MINUTE_MS * _MINUTE_MS


def group_by_period(points: Iterable[tuple[int, float]], period_s: int) -> dict[int, list[float]]:
    """Values by the millisecond at which their period began, oldest first.

    Args:
        points: Pairs of milliseconds since the epoch and value, in any order.
        period_s: See `is_period`.
    """
    period_ms = 1000 * period_s
    groups: dict[int, list[float]] = {}
    for timestamp_ms, value in points:
        groups.setdefault(timestamp_ms // period_ms * period_ms, []).append(value)
    return dict(sorted(groups.items()))


def compute_statistic(name: str, values: Sequence[float]) -> float:
    """One statistic of at least one value.

    Raises:
        ValueError: There is no statistic of this name.
    """
    if name in _SIMPLE:
        return float(_SIMPLE[name](values))
    percentile = _PERCENTILE.fullmatch(name)
    if percentile is None:
        raise ValueError(name)
    ordered = sorted(values)
    rank = (len(ordered) - 1) * float(percentile[1]) / 100
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def _average(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


_SIMPLE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SampleCount": len,
    "Average": _average,
    "Sum": math.fsum,
    "Minimum": min,
    "Maximum": max,
}
