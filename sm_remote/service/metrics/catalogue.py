"""Which metrics there are, under the namespace and dimensions that SageMaker gives them, and their datapoints.

What containers use has the dimension Host, ``<job>/algo-<n>``; what a job's log shows by its MetricDefinitions has
TrainingJobName. Source: SageMaker Developer Guide, "Monitor Amazon SageMaker AI with Amazon CloudWatch"; for the second
dimension the SageMaker SDK's TrainingJobAnalytics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sm_remote.service.metrics.definitions import POINTS_SUFFIX
from sm_remote.service.metrics.series import read_series
from sm_remote.service.metrics.usage import USAGE_METRICS, USAGE_SUFFIX
from sm_remote.service.records.store import JobStore, NoSuchJobError

NAMESPACE = "/aws/sagemaker/TrainingJobs"
HOST = "Host"
JOB = "TrainingJobName"
PERCENT = "Percent"
NO_UNIT = "None"
_HOST = re.compile(r"([a-zA-Z0-9][a-zA-Z0-9-]*)/(algo-[0-9]+)")
_NAME = re.compile(r"[a-zA-Z0-9-]+")
_STREAM = re.compile(r"(algo-[0-9]+)-[0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricKey:
    """One metric.

    Attributes:
        name: Such as ``CPUUtilization``.
        dimensions: Value by name.
    """

    name: str
    dimensions: Mapping[str, str]

    @property
    def unit(self) -> str:
        """What its values are measured in."""
        return PERCENT if HOST in self.dimensions else NO_UNIT


class MetricSeries:
    """Finds datapoints.

    Args:
        logs: The directory of all jobs' log streams, with their series beside them.
        store: Knows the metric definitions of each job.
    """

    def __init__(self, logs: Path, store: JobStore) -> None:
        self._logs = logs
        self._store = store

    def read(self, key: MetricKey, start_ms: int, end_ms: int) -> Iterator[tuple[int, float]]:
        """Yields milliseconds and values of a metric, of all attempts and hosts; nothing where there is no such."""
        for path, number in self._find(key):
            for point in read_series(path, start_ms=start_ms, end_ms=end_ms):
                if point.metric == number:
                    yield point.timestamp_ms, point.value

    def list_keys(self, dimensions: Mapping[str, str | None]) -> Iterator[MetricKey]:
        """Yields every metric with datapoints that has these dimensions; a value of None stands for any."""
        for job in self._list_jobs(dimensions):
            yield from self._list_usage(job)
            yield from self._list_defined(job)

    def _find(self, key: MetricKey) -> Iterator[tuple[Path, int]]:
        if set(key.dimensions) == {HOST}:
            host = _HOST.fullmatch(key.dimensions[HOST])
            if host is not None and key.name in USAGE_METRICS:
                for path in self._list_files(host[1], USAGE_SUFFIX):
                    if _host_of(path) == host[2]:
                        yield path, USAGE_METRICS.index(key.name)
        elif set(key.dimensions) == {JOB}:
            names = self._list_definitions(key.dimensions[JOB])
            for path in self._list_files(key.dimensions[JOB], POINTS_SUFFIX):
                yield from ((path, number) for number, name in enumerate(names) if name == key.name)

    def _list_jobs(self, dimensions: Mapping[str, str | None]) -> list[str]:
        asked = dimensions.get(JOB) or (dimensions.get(HOST) or "").partition("/")[0]
        if asked:
            return [asked]
        try:
            return sorted(entry.name for entry in self._logs.iterdir())
        except OSError:
            return []

    def _list_usage(self, job: str) -> Iterator[MetricKey]:
        found = {
            (_host_of(path), point.metric)
            for path in self._list_files(job, USAGE_SUFFIX)
            for point in read_series(path)
        }
        for host, number in sorted(found):
            yield MetricKey(name=USAGE_METRICS[number], dimensions={HOST: f"{job}/{host}"})

    def _list_defined(self, job: str) -> Iterator[MetricKey]:
        names = self._list_definitions(job)
        found = {point.metric for path in self._list_files(job, POINTS_SUFFIX) for point in read_series(path)}
        for name in dict.fromkeys(names[number] for number in sorted(found) if number < len(names)):
            yield MetricKey(name=name, dimensions={JOB: job})

    def _list_definitions(self, job: str) -> Sequence[str]:
        try:
            algorithm = self._store.find(job).request["AlgorithmSpecification"]
        except NoSuchJobError:
            return ()
        return [each["Name"] for each in algorithm.get("MetricDefinitions", ())]

    def _list_files(self, job: str, suffix: str) -> list[Path]:
        if not _NAME.fullmatch(job):
            return []
        try:
            return sorted(path for path in (self._logs / job).iterdir() if path.suffix == suffix and _host_of(path))
        except OSError:
            return []


def _host_of(path: Path) -> str:
    found = _STREAM.fullmatch(path.stem)
    return found[1] if found else ""
