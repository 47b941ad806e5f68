"""A record as DescribeTrainingJob and ListTrainingJobs show it.

Source: API_DescribeTrainingJob, API_TrainingJobSummary. Times are seconds since the epoch, as AWS JSON 1.1 has them.
"""

from __future__ import annotations

import functools
from typing import Any

from sm_remote.service.api.model import load_model
from sm_remote.service.operations.job_rules import DEFAULT_MAX_RUNTIME_S
from sm_remote.service.records.billing import find_bill
from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.pool import PoolRecord

_SWITCHES = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")


def describe_job(record: JobRecord) -> dict[str, Any]:
    """The whole description."""
    echoed = {name: record.request[name] for name in _echoed_members() if name in record.request}
    return {
        **dict.fromkeys(_SWITCHES, False),
        "ProfilingStatus": "Disabled",
        **echoed,
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_S, **echoed["StoppingCondition"]},
        **summarize_job(record),
        "SecondaryStatusTransitions": _render_transitions(record),
        **_render_end(record),
    }


def summarize_job(record: JobRecord) -> dict[str, Any]:
    """What a list shows of a job."""
    summary: dict[str, Any] = {
        "TrainingJobName": record.name,
        "TrainingJobArn": record.arn,
        "CreationTime": record.created_at,
        "LastModifiedTime": record.modified_at,
        "TrainingJobStatus": str(record.state.status),
        "SecondaryStatus": str(record.state.secondary),
    }
    if record.training_ended_at is not None:
        summary["TrainingEndTime"] = record.training_ended_at
    if record.pool is not None:
        summary["WarmPoolStatus"] = _render_pool(record.pool)
    return summary


def _render_pool(pool: PoolRecord) -> dict[str, Any]:
    """Source: API_WarmPoolStatus: the retained seconds are there once the pool is reused or terminated."""
    status: dict[str, Any] = {"Status": str(pool.status)}
    if pool.retained_s is not None:
        status["ResourceRetainedBillableTimeInSeconds"] = pool.retained_s
    if pool.reused_by is not None:
        status["ReusedByJob"] = pool.reused_by
    return status


def _render_transitions(record: JobRecord) -> list[dict[str, Any]]:
    return [
        {
            "Status": str(entry.status),
            "StartTime": entry.start,
            **({} if entry.end is None else {"EndTime": entry.end}),
            "StatusMessage": entry.message,
        }
        for entry in record.state.transitions
    ]


def _render_end(record: JobRecord) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if record.training_started_at is not None:
        members["TrainingStartTime"] = record.training_started_at
    if record.failure_reason is not None:
        members["FailureReason"] = record.failure_reason
    if record.model_artifacts is not None:
        members["ModelArtifacts"] = {"S3ModelArtifacts": record.model_artifacts}
    if record.metrics:
        members["FinalMetricDataList"] = [
            {"MetricName": metric.name, "Value": metric.value, "Timestamp": metric.timestamp}
            for metric in record.metrics
        ]
    bill = find_bill(record)
    if bill is not None:
        members |= {"TrainingTimeInSeconds": bill.training_s, "BillableTimeInSeconds": bill.billable_s}
    return members


@functools.cache
def _echoed_members() -> tuple[str, ...]:
    model = load_model("sagemaker")
    asked = model.operation_model("CreateTrainingJob").input_shape
    told = model.operation_model("DescribeTrainingJob").output_shape
    return tuple(name for name in asked.members if name in told.members)  # type: ignore[union-attr]
