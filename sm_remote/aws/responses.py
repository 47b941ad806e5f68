"""Reads what the API answers into frozen dataclasses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sm_remote.spec import SecondaryStatus, TrainingJobStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """One stretch of a job's life. ``end`` is None while it lasts."""

    status: str
    start: datetime
    end: datetime | None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJobDescription:
    """What DescribeTrainingJob said.

    Attributes:
        version: The local service's change counter at that moment; 0 on AWS.
        outcome_marker: The log line with which an ended job said what its outcome is, where the local service gave
            it along; None on AWS, whose log has to be read for it.
        raw: The answer itself.
    """

    name: str
    arn: str
    status: TrainingJobStatus
    secondary_status: SecondaryStatus
    failure_reason: str | None
    output_uri: str
    compressed: bool
    model_uri: str | None
    image_uri: str | None
    instance_type: str | None
    arguments: tuple[str, ...]
    creation_time: datetime
    modified_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    billable_s: int | None
    transitions: tuple[Transition, ...]
    version: int
    outcome_marker: str | None
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def machines(self) -> tuple[tuple[str, int], ...]:
        """The instance types, each with how many machines it has: several where the job has instance groups."""
        return _read_machines(self.raw.get("ResourceConfig") or {})

    @property
    def host_count(self) -> int:
        """How many machines the job has in all."""
        return sum(count for _, count in self.machines) or 1


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class TrainingJobSummary:
    """One row of ListTrainingJobs."""

    name: str
    arn: str
    status: TrainingJobStatus
    creation_time: datetime
    end_time: datetime | None
    modified_time: datetime | None = None

    def __repr__(self) -> str:
        return f"<TrainingJobSummary {self.name}: {self.status}, created {self.creation_time:%Y-%m-%d %H:%M:%S}>"


def parse_description(answer: Mapping[str, Any]) -> TrainingJobDescription:
    """Reads an answer of DescribeTrainingJob.

    ``ModelArtifacts`` may be absent, although the model calls it required: it is null on jobs that the platform failed.
    """
    algorithm = answer.get("AlgorithmSpecification") or {}
    output = answer.get("OutputDataConfig") or {}
    return TrainingJobDescription(
        name=answer["TrainingJobName"],
        arn=answer["TrainingJobArn"],
        status=TrainingJobStatus(answer["TrainingJobStatus"]),
        secondary_status=SecondaryStatus(answer["SecondaryStatus"]),
        failure_reason=answer.get("FailureReason"),
        output_uri=output.get("S3OutputPath", "").rstrip("/"),
        compressed=output.get("CompressionType", "GZIP") != "NONE",
        model_uri=(answer.get("ModelArtifacts") or {}).get("S3ModelArtifacts"),
        image_uri=algorithm.get("TrainingImage"),
        instance_type=next((name for name, _ in _read_machines(answer.get("ResourceConfig") or {})), None),
        arguments=tuple(algorithm.get("ContainerArguments") or ()),
        creation_time=answer["CreationTime"],
        modified_time=answer.get("LastModifiedTime"),
        start_time=answer.get("TrainingStartTime"),
        end_time=answer.get("TrainingEndTime"),
        billable_s=answer.get("BillableTimeInSeconds"),
        transitions=tuple(_parse_transition(row) for row in answer.get("SecondaryStatusTransitions") or ()),
        version=read_version(answer),
        outcome_marker=read_header(answer, "x-sm-remote-outcome"),
        raw=answer,
    )


def assume_completed(request: Mapping[str, Any], row: TrainingJobSummary) -> TrainingJobDescription:
    """What is certain of a job that a list has as completed, without what only DescribeTrainingJob tells (billed time).

    Args:
        request: Of CreateTrainingJob, or what DescribeTrainingJob said earlier: they share their members.
        row: Of the list.
    """
    moments = {"TrainingEndTime": row.end_time, "LastModifiedTime": row.modified_time}
    return parse_description(
        {
            **request,
            "TrainingJobName": row.name,
            "TrainingJobArn": row.arn,
            "TrainingJobStatus": str(row.status),
            "SecondaryStatus": str(SecondaryStatus.COMPLETED),
            "CreationTime": row.creation_time,
            **{name: moment for name, moment in moments.items() if moment is not None},
        }
    )


def _read_machines(resources: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    groups = resources.get("InstanceGroups") or ()
    name = resources.get("InstanceType") or resources.get("SelectedInstanceType")
    if groups or name is None:
        return tuple((group["InstanceType"], int(group["InstanceCount"])) for group in groups)
    return ((name, int(resources.get("InstanceCount") or resources.get("SelectedInstanceCount") or 1)),)


def _parse_transition(row: Mapping[str, Any]) -> Transition:
    return Transition(
        status=row["Status"],
        start=row["StartTime"],
        end=row.get("EndTime"),
        message=row.get("StatusMessage", ""),
    )


def parse_summary(row: Mapping[str, Any]) -> TrainingJobSummary:
    """Reads one row of ListTrainingJobs."""
    return TrainingJobSummary(
        name=row["TrainingJobName"],
        arn=row["TrainingJobArn"],
        status=TrainingJobStatus(row["TrainingJobStatus"]),
        creation_time=row["CreationTime"],
        end_time=row.get("TrainingEndTime"),
        modified_time=row.get("LastModifiedTime"),
    )


def read_header(answer: Mapping[str, Any], name: str) -> str | None:
    """A response header of the local service; None on AWS."""
    headers: Mapping[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers.get(name)


def read_moment(answer: Mapping[str, Any]) -> datetime | None:
    """When an answer was made, by the clock of whoever made it."""
    try:
        return parsedate_to_datetime(read_header(answer, "date") or "")
    except ValueError:
        return None


def read_version(answer: Mapping[str, Any]) -> int:
    """The local service's change counter in an answer; 0 on AWS."""
    return int(read_header(answer, "x-sm-remote-version") or 0)
