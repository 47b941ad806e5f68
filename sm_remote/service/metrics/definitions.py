"""Numbers that a job's log shows: MetricDefinitions applied to each line.

Source: SageMaker Developer Guide, "Use Amazon CloudWatch Metrics for Monitoring and Analyzing Training Jobs"; the log
of a training job shows a tab as ``#011``, and the built-in algorithms' expressions rely on it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sm_remote.service.logs.stream import show_text
from sm_remote.service.metrics.series import Datapoint, SeriesWriter
from sm_remote.service.records.job import Metric

_LONGEST_LINE = 8192
"""Characters of a line that are searched: an expression may need time that grows with their square."""


POINTS_SUFFIX = ".points"


class MetricReader:
    """Remembers the last value of each metric.

    Args:
        definitions: Pairs of name and regular expression; the first group is the number.
        series: Takes every value, by the number of its definition.
    """

    def __init__(self, definitions: Sequence[tuple[str, str]], series: SeriesWriter | None = None) -> None:
        self._definitions = [(name, re.compile(regex)) for name, regex in definitions]
        self._series = series
        self._last: dict[str, Metric] = {}

    def feed(self, timestamp_ms: int, line: bytes) -> None:
        """Takes in a line; whatever is no finite number is passed over."""
        if not self._definitions:
            return
        text = show_text(line.decode("utf-8", "replace"))[:_LONGEST_LINE]
        points = []
        for number, (name, regex) in enumerate(self._definitions):
            for match in regex.finditer(text):
                value = _parse_number(match)
                if value is not None:
                    self._last[name] = Metric(name=name, value=value, timestamp=timestamp_ms / 1000)
                    points.append(Datapoint(number, timestamp_ms, value))
        if points and self._series is not None:
            self._series.append(points)

    def close(self) -> None:
        """Says that no line follows."""
        if self._series is not None:
            self._series.close()

    def final(self) -> tuple[Metric, ...]:
        """The last value of each metric that showed at all, in the order of the definitions."""
        names = dict.fromkeys(name for name, _ in self._definitions)
        return tuple(self._last[name] for name in names if name in self._last)


def open_metrics(request: Mapping[str, Any], log: Path) -> MetricReader:
    """A reader for the lines of one log stream, from its first one on; its series lies beside the log.

    Args:
        request: CreateTrainingJob.
        log: The stream's file.
    """
    definitions = request["AlgorithmSpecification"].get("MetricDefinitions", ())
    series = SeriesWriter(log.with_suffix(POINTS_SUFFIX), from_start=True) if definitions else None
    return MetricReader([(each["Name"], each["Regex"]) for each in definitions], series)


def find_bad_regex(definitions: Sequence[tuple[str, str]]) -> str | None:
    """Says what is wrong with the first regular expression that cannot be used, or None."""
    for name, regex in definitions:
        try:
            groups = re.compile(regex).groups
        except (re.error, RecursionError, OverflowError) as error:
            return f"The regular expression of metric '{name}' is not valid: {error}"
        if groups == 0:
            return f"The regular expression of metric '{name}' has no group that captures the value"
    return None


def _parse_number(match: re.Match[str]) -> float | None:
    try:
        value = float(match.group(1))
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
