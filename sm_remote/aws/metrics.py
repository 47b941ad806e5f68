"""The courses of a job's metrics in CloudWatch: what its log showed, and what its containers used. Pure.

Source: SageMaker Developer Guide, "Monitor Amazon SageMaker AI with Amazon CloudWatch": namespace, names, dimensions;
API_MetricStat: periods; API_GetMetricData: 500 queries, MetricDataResults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

NAMESPACE = "/aws/sagemaker/TrainingJobs"
USAGE = ("CPUUtilization", "MemoryUtilization", "GPUUtilization", "GPUMemoryUtilization", "DiskUtilization")
MOST_POINTS = 500
_SHORT_PERIODS_S = (1, 5, 10, 30)
_HIGH_RESOLUTION_S = 3 * 3600
"""CloudWatch keeps datapoints of less than a minute for three hours. Source: API_MetricStat, Period."""
_MOST_QUERIES = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricCourse:
    """One metric over time.

    Attributes:
        name: As the job's definitions or CloudWatch have it.
        host: ``algo-1`` for what a container used; empty for what the log showed.
        points: Milliseconds since 1970 and values, oldest first.
    """

    name: str
    host: str
    points: tuple[tuple[int, float], ...]


def choose_period_s(duration_s: float, age_s: float) -> int:
    """The shortest period in which a course has no more than `MOST_POINTS` points.

    Args:
        duration_s: From its beginning to its end.
        age_s: From its beginning to now.
    """
    if age_s < _HIGH_RESOLUTION_S:
        for period_s in _SHORT_PERIODS_S:
            if duration_s <= period_s * MOST_POINTS:
                return period_s
    return 60 * max(1, -(-int(duration_s) // (60 * MOST_POINTS)))


def build_queries(
    job_name: str, metric_names: Sequence[str], *, instance_count: int, period_s: int
) -> list[dict[str, Any]]:
    """The queries of GetMetricData for everything that a job may have."""
    wanted = [(name, "TrainingJobName", job_name) for name in metric_names]
    hosts = [f"{job_name}/algo-{number}" for number in range(1, instance_count + 1)]
    wanted += [(name, "Host", host) for host in hosts for name in USAGE]
    return [
        {
            "Id": f"m{number}",
            "Label": f"{value.rpartition('/')[2] if dimension == 'Host' else ''}\t{name}",
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": name,
                    "Dimensions": [{"Name": dimension, "Value": value}],
                },
                "Period": period_s,
                "Stat": "Average",
            },
        }
        for number, (name, dimension, value) in enumerate(wanted[:_MOST_QUERIES])
    ]


def parse_courses(queries: Sequence[Mapping[str, Any]], pages: Sequence[Mapping[str, Any]]) -> list[MetricCourse]:
    """The courses that have a point, in the order of their queries."""
    points: dict[str, list[tuple[int, float]]] = {query["Id"]: [] for query in queries}
    for page in pages:
        for result in page.get("MetricDataResults") or ():
            moments: Sequence[datetime] = result["Timestamps"]
            found = zip(moments, result["Values"], strict=True)
            points[result["Id"]] += [(int(moment.timestamp() * 1000), float(value)) for moment, value in found]
    courses = []
    for query in queries:
        host, _, name = query["Label"].partition("\t")
        if points[query["Id"]]:
            courses.append(MetricCourse(name=name, host=host, points=tuple(sorted(points[query["Id"]]))))
    return courses
