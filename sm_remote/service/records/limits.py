"""What bounds a training job in time, over all its attempts.

Source: API_StoppingCondition: MaxRuntimeInSeconds counts running time, MaxWaitTimeInSeconds all time since the job was
created; API_RetryStrategy: both bound all attempts together. What MaxRuntimeInSeconds counts exactly is not documented:
here it is the time that containers run.
"""

from __future__ import annotations

from sm_remote.service.records.job import JobRecord, StopCause

_DEFAULT_MAX_RUNTIME_S = 86400
"""Source: API_StoppingCondition."""


def find_running_limit(record: JobRecord) -> tuple[float, StopCause]:
    """When a job that runs is to be stopped, in seconds since the epoch, and for which reason."""
    conditions = record.request["StoppingCondition"]
    attempt = record.current
    started_at = attempt.container_started_at or attempt.started_at
    before_s = sum(earlier.running_s(started_at) for earlier in record.attempts[:-1])
    limits = [
        (started_at + conditions.get("MaxRuntimeInSeconds", _DEFAULT_MAX_RUNTIME_S) - before_s, StopCause.MAX_RUNTIME)
    ]
    if "MaxWaitTimeInSeconds" in conditions:
        limits.append((record.created_at + conditions["MaxWaitTimeInSeconds"], StopCause.MAX_WAIT))
    return min(limits)


def find_waiting_limit(record: JobRecord) -> tuple[float, StopCause] | None:
    """When a job that waits for capacity is to be stopped, and for which reason; None where nothing bounds it."""
    conditions = record.request["StoppingCondition"]
    limits = []
    if "MaxWaitTimeInSeconds" in conditions:
        limits.append((record.created_at + conditions["MaxWaitTimeInSeconds"], StopCause.MAX_WAIT))
    if "MaxPendingTimeInSeconds" in conditions and not record.attempts:
        limits.append((record.created_at + conditions["MaxPendingTimeInSeconds"], StopCause.MAX_PENDING))
    return min(limits, default=None)
