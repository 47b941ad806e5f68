"""Which state of a training job may follow which, as one table, and how the list of transitions grows.

Source: API_DescribeTrainingJob (TrainingJobStatus, SecondaryStatus, SecondaryStatusTransitions); the messages are those
seen on SageMaker, except `INTERRUPTED_MESSAGE` and those of limits that were exceeded, which are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

STARTING_MESSAGE = "Starting the training job"
PENDING_MESSAGE = "Training job waiting for capacity"
DOWNLOADING_MESSAGE = "Downloading input data"
IMAGE_MESSAGE = "Downloading the training image"
TRAINING_MESSAGE = "Training image download completed. Training in progress."
UPLOADING_MESSAGE = "Uploading generated training model"
COMPLETED_MESSAGE = "Training job completed"
FAILED_MESSAGE = "Training job failed"
STOPPING_MESSAGE = "Stopping the training job"
STOPPED_MESSAGE = "Training job stopped"
INTERRUPTED_MESSAGE = "Training job interrupted"
MAX_RUNTIME_MESSAGE = "Training job runtime exceeded MaxRuntimeInSeconds provided"
MAX_WAIT_MESSAGE = "Training job exceeded MaxWaitTimeInSeconds provided"
MAX_PENDING_MESSAGE = "Training job exceeded MaxPendingTimeInSeconds provided"

_State = tuple[Status, Secondary]

_FOLLOWERS: dict[_State, frozenset[_State]] = {
    (Status.IN_PROGRESS, Secondary.STARTING): frozenset(
        {
            (Status.IN_PROGRESS, Secondary.STARTING),
            (Status.IN_PROGRESS, Secondary.PENDING),
            (Status.IN_PROGRESS, Secondary.DOWNLOADING),
            (Status.IN_PROGRESS, Secondary.TRAINING),
            (Status.FAILED, Secondary.FAILED),
            (Status.STOPPING, Secondary.STOPPING),
        }
    ),
    (Status.IN_PROGRESS, Secondary.PENDING): frozenset(
        {
            (Status.IN_PROGRESS, Secondary.STARTING),
            (Status.IN_PROGRESS, Secondary.PENDING),
            (Status.IN_PROGRESS, Secondary.DOWNLOADING),
            (Status.IN_PROGRESS, Secondary.TRAINING),
            (Status.FAILED, Secondary.FAILED),
            (Status.STOPPING, Secondary.STOPPING),
        }
    ),
    (Status.IN_PROGRESS, Secondary.DOWNLOADING): frozenset(
        {
            (Status.IN_PROGRESS, Secondary.STARTING),
            (Status.IN_PROGRESS, Secondary.DOWNLOADING),
            (Status.IN_PROGRESS, Secondary.TRAINING),
            (Status.FAILED, Secondary.FAILED),
            (Status.STOPPING, Secondary.STOPPING),
        }
    ),
    (Status.IN_PROGRESS, Secondary.TRAINING): frozenset(
        {
            (Status.IN_PROGRESS, Secondary.STARTING),
            (Status.IN_PROGRESS, Secondary.INTERRUPTED),
            (Status.IN_PROGRESS, Secondary.UPLOADING),
            (Status.FAILED, Secondary.FAILED),
            (Status.STOPPING, Secondary.STOPPING),
        }
    ),
    (Status.IN_PROGRESS, Secondary.INTERRUPTED): frozenset(
        {
            (Status.IN_PROGRESS, Secondary.STARTING),
            (Status.IN_PROGRESS, Secondary.UPLOADING),
            (Status.FAILED, Secondary.FAILED),
            (Status.STOPPING, Secondary.STOPPING),
        }
    ),
    (Status.IN_PROGRESS, Secondary.UPLOADING): frozenset(
        {
            (Status.COMPLETED, Secondary.COMPLETED),
            (Status.FAILED, Secondary.FAILED),
            (Status.STOPPING, Secondary.STOPPING),
        }
    ),
    (Status.STOPPING, Secondary.STOPPING): frozenset(
        {
            (Status.STOPPING, Secondary.UPLOADING),
            (Status.STOPPED, Secondary.STOPPED),
            (Status.STOPPED, Secondary.MAX_RUNTIME_EXCEEDED),
            (Status.STOPPED, Secondary.MAX_WAIT_TIME_EXCEEDED),
            (Status.FAILED, Secondary.FAILED),
        }
    ),
    (Status.STOPPING, Secondary.UPLOADING): frozenset(
        {
            (Status.STOPPED, Secondary.STOPPED),
            (Status.STOPPED, Secondary.MAX_RUNTIME_EXCEEDED),
            (Status.STOPPED, Secondary.MAX_WAIT_TIME_EXCEEDED),
            (Status.FAILED, Secondary.FAILED),
        }
    ),
    (Status.COMPLETED, Secondary.COMPLETED): frozenset({(Status.DELETING, Secondary.COMPLETED)}),
    (Status.FAILED, Secondary.FAILED): frozenset({(Status.DELETING, Secondary.FAILED)}),
    (Status.STOPPED, Secondary.STOPPED): frozenset({(Status.DELETING, Secondary.STOPPED)}),
    (Status.STOPPED, Secondary.MAX_RUNTIME_EXCEEDED): frozenset({(Status.DELETING, Secondary.MAX_RUNTIME_EXCEEDED)}),
    (Status.STOPPED, Secondary.MAX_WAIT_TIME_EXCEEDED): frozenset(
        {(Status.DELETING, Secondary.MAX_WAIT_TIME_EXCEEDED)}
    ),
}


class InvalidTransitionError(Exception):
    """A change of state that the table does not have: a defect of the service, never of a request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """One entry of SecondaryStatusTransitions.

    Attributes:
        status: The secondary status.
        start: Seconds since the epoch.
        end: None while it lasts.
        message: For a person; never branch on it.
    """

    status: Secondary
    start: float
    end: float | None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Where a job stands and how it came there."""

    status: Status
    secondary: Secondary
    transitions: tuple[Transition, ...]


def begin(now: float) -> State:
    """The state in which every job starts."""
    first = Transition(status=Secondary.STARTING, start=now, end=None, message=STARTING_MESSAGE)
    return State(status=Status.IN_PROGRESS, secondary=Secondary.STARTING, transitions=(first,))


def can_follow(state: State, status: Status, secondary: Secondary) -> bool:
    """Whether the table lets this state follow."""
    return (status, secondary) in _FOLLOWERS.get((state.status, state.secondary), frozenset())


def advance(state: State, status: Status, secondary: Secondary, message: str, now: float) -> State:
    """Ends the current transition and appends the next.

    Time never runs backwards within a job, whatever the machine's clock does.

    Raises:
        InvalidTransitionError: The table does not have it.
    """
    if not can_follow(state, status, secondary):
        raise InvalidTransitionError(f"{state.status}/{state.secondary} cannot become {status}/{secondary}")
    if status is Status.DELETING:
        return replace(state, status=status)
    *earlier, last = state.transitions
    moment = max(now, last.start)
    end = moment if status.is_terminal else None
    entry = Transition(status=secondary, start=moment, end=end, message=message)
    return State(status=status, secondary=secondary, transitions=(*earlier, replace(last, end=moment), entry))
