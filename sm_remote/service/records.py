"""What the service remembers of a training job, and how that becomes a row of the database and comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from sm_remote.home import LOCAL_ACCOUNT, LOCAL_REGION
from sm_remote.service import states
from sm_remote.service.engine import ContainerExit
from sm_remote.service.states import State, Transition
from sm_remote.spec import SecondaryStatus, TrainingJobStatus

HOST = "algo-1"
"""The one host of a job: SageMaker's own name for it."""


class Phase(str, Enum):
    """How far the service has come with a job: what a restart has to go on from.

    ``preparing`` and later say that a container of the job's name may exist; ``collecting`` that its exit is recorded.
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
        attempt: 0 until a container may exist.
        stream: The log stream's last part, such as ``algo-1-1700000000``.
        training_started_at: When the job got its capacity: billing starts.
        container_started_at: What MaxRuntimeInSeconds counts from.
        training_ended_at: When nothing more can follow.
        stop_cause: Set, durably, before any signal is sent.
        exit: How the container ended.
        failure_reason: At most 1024 characters.
        model_artifacts: Where the model was written.
        metrics: Known at the end.
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
    attempt: int = 0
    stream: str | None = None
    training_started_at: float | None = None
    container_started_at: float | None = None
    training_ended_at: float | None = None
    stop_cause: StopCause | None = None
    exit: ContainerExit | None = None
    failure_reason: str | None = None
    model_artifacts: str | None = None
    metrics: tuple[Metric, ...] = ()
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
    def container_name(self) -> str:
        """The deterministic name of the current attempt's container."""
        return f"smr-{self.name}-a{self.attempt}-{HOST}"

    @property
    def full_stream(self) -> str | None:
        """The log stream's whole name."""
        return f"{self.name}/{self.stream}" if self.stream else None

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
    ended = detail.pop("exit")
    cause = detail.pop("stop_cause")
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
        exit=ContainerExit(**ended) if ended else None,
        metrics=tuple(Metric(**metric) for metric in detail.pop("metrics")),
        **detail,
    )
