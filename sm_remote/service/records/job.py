"""What the service remembers of a training job, and how that becomes a row of the database and comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from sm_remote.home import LOCAL_ACCOUNT, LOCAL_REGION
from sm_remote.service.records import states
from sm_remote.service.records.attempts import FIRST_HOST, AttemptRecord, load_attempt, load_only_attempt
from sm_remote.service.records.pool import PoolRecord, load_pool
from sm_remote.service.records.states import State, Transition
from sm_remote.spec import SecondaryStatus, TrainingJobStatus


class Phase(str, Enum):
    """How far the service has come with a job: what a restart has to go on from.

    ``queued`` says that the job waits for its first or its next attempt; ``preparing`` and later that containers of
    the current attempt may exist; ``collecting`` that their exits are recorded.
    """

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    COLLECTING = "collecting"
    ENDED = "ended"

    def __str__(self) -> str:
        return self.value


class StopCause(str, Enum):
    """Who wants a job to stop."""

    USER = "user"
    MAX_RUNTIME = "max_runtime"
    MAX_WAIT = "max_wait"
    MAX_PENDING = "max_pending"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """The last value of a metric that the job's log showed."""

    name: str
    value: float
    timestamp: float


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRecord:
    """One training job.

    Attributes:
        name: Unique, whatever its letters' case.
        sequence: Grows with every job created.
        request: CreateTrainingJob as it came, without Tags.
        tags: Key to value.
        created_at: Seconds since the epoch, as all times here.
        modified_at: Of the last change.
        version: The store's counter at the last change.
        state: For the user.
        phase: For the service.
        attempts: Oldest first; empty until a container may exist.
        training_started_at: When the job first got its capacity: billing starts.
        training_ended_at: When nothing more can follow.
        stop_cause: Set, durably, before any signal is sent.
        failure_reason: At most 1024 characters.
        model_artifacts: Where the model was written.
        metrics: Known at the end.
        pool: The warm pool that the job keeps, from its first attempt on.
        cleaned: Whether container and working tree are gone.
    """

    name: str
    sequence: int
    request: Mapping[str, Any]
    tags: Mapping[str, str]
    created_at: float
    modified_at: float
    version: int
    state: State
    phase: Phase = Phase.QUEUED
    attempts: tuple[AttemptRecord, ...] = ()
    training_started_at: float | None = None
    training_ended_at: float | None = None
    stop_cause: StopCause | None = None
    failure_reason: str | None = None
    model_artifacts: str | None = None
    metrics: tuple[Metric, ...] = ()
    pool: PoolRecord | None = None
    cleaned: bool = False

    @property
    def arn(self) -> str:
        """The job's ARN; AWS spells the name in lower case there."""
        return training_job_arn(self.name)

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended; true while it is being deleted, too."""
        return self.phase is Phase.ENDED

    @property
    def attempt(self) -> int:
        """The number of the current attempt; 0 before the first."""
        return len(self.attempts)

    @property
    def current(self) -> AttemptRecord:
        """The current attempt; there must be one."""
        return self.attempts[-1]

    @property
    def stream(self) -> str | None:
        """The last part of the first host's log stream in the current attempt, such as ``algo-1-1700000000``."""
        return self.current.streams.get(FIRST_HOST) if self.attempts else None

    @property
    def container_started_at(self) -> float | None:
        """When the current attempt's containers ran."""
        return self.current.container_started_at if self.attempts else None

    @property
    def is_spot(self) -> bool:
        """Whether the job runs on spot capacity."""
        return bool(self.request.get("EnableManagedSpotTraining", False))

    @property
    def may_have_containers(self) -> bool:
        """Whether containers of the current attempt belong to this job."""
        return self.phase is not Phase.QUEUED

    def running_s(self, now: float) -> float:
        """How long the job's containers have run, over all attempts; seconds."""
        return sum(attempt.running_s(now) for attempt in self.attempts)

    def with_attempt(self, **changes: Any) -> JobRecord:
        """This record with changes of its current attempt."""
        return replace(self, attempts=(*self.attempts[:-1], replace(self.current, **changes)))

    def advanced(
        self, status: TrainingJobStatus, secondary: SecondaryStatus, message: str, now: float, **changes: Any
    ) -> JobRecord:
        """This record in the next state, with further changes."""
        return replace(self, state=states.advance(self.state, status, secondary, message, now), **changes)


def training_job_arn(name: str) -> str:
    """The ARN of a local training job."""
    return f"arn:aws:sagemaker:{LOCAL_REGION}:{LOCAL_ACCOUNT}:training-job/{name.lower()}"


def dump_detail(record: JobRecord) -> str:
    """What of a record has no column of its own, as JSON."""
    detail = asdict(record)
    for column in ("name", "sequence", "request", "version", "created_at", "modified_at", "cleaned"):
        del detail[column]
    return json.dumps(detail, separators=(",", ":"))


def load_record(row: Mapping[str, Any]) -> JobRecord:
    """The record that a row of the database holds."""
    detail = json.loads(row["detail"])
    state = detail.pop("state")
    cause = detail.pop("stop_cause")
    if "attempts" in detail:
        attempts = tuple(load_attempt(attempt) for attempt in detail.pop("attempts"))
    else:
        attempts = load_only_attempt(detail)
    return JobRecord(
        name=row["name"],
        sequence=row["sequence"],
        request=json.loads(row["request"]),
        version=row["version"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
        cleaned=bool(row["cleaned"]),
        state=State(
            status=TrainingJobStatus(state["status"]),
            secondary=SecondaryStatus(state["secondary"]),
            transitions=tuple(
                Transition(**{**entry, "status": SecondaryStatus(entry["status"])}) for entry in state["transitions"]
            ),
        ),
        phase=Phase(detail.pop("phase")),
        stop_cause=StopCause(cause) if cause else None,
        attempts=attempts,
        pool=load_pool(detail.pop("pool", None)),
        metrics=tuple(Metric(**metric) for metric in detail.pop("metrics")),
        **detail,
    )
