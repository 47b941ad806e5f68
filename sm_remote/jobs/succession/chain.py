"""The training jobs that one call is, one after the other: found by their names, continued by whoever watches.

Names decide that there is one successor at most: each job's is made of the first one's, and the API refuses a second
job of a name. What is to follow a job that was stopped cannot be told from its record: an object beside its output
says it (`Word`), and whoever writes it first decides.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.aws.successors import change_request, rebuild_request
from sm_remote.costs import Charges
from sm_remote.errors import JobNameInUse, JobNotFound, RemoteError, StorageError, SubmitError
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.creation.lock import LockRelay, hand_on_lock
from sm_remote.jobs.creation.sending import create_training_job
from sm_remote.jobs.outcome.cell import CellEnding
from sm_remote.jobs.outcome.exceptions import add_note
from sm_remote.jobs.succession.plan import (
    CONTINUES_TAG,
    Ending,
    Plan,
    build_successor_name,
    find_plan,
    find_run_name,
    plan_successor,
    read_error,
    read_plan,
    read_refusal,
    read_shortage,
    write_plan,
)
from sm_remote.spec import SecondaryStatus, TrainingJobStatus
from sm_remote.wire.layout import CHECKPOINT_WATCH_VARIABLE, RUN_VARIABLE, SUCCESSION_VARIABLE

logger = logging.getLogger("sm_remote")

LATEST_S = 86400.0
"""A job that ended longer ago is not followed by another only because somebody looks at it."""
LOOK_AGAIN_AFTER_S = 5.0
GOES_ON, ENDS = b"goes on", b"ends"
_WAITS = frozenset(
    {
        SecondaryStatus.PENDING,
        SecondaryStatus.STARTING,
        SecondaryStatus.LAUNCHING_ML_INSTANCES,
        SecondaryStatus.INTERRUPTED,
        SecondaryStatus.RESTARTING,
    }
)


class Word:
    """What was said of a job's end: that another goes on with its work, or that nothing follows.

    Args:
        connection: Where the job is.
        description: The job.
    """

    def __init__(self, connection: Connection, description: TrainingJobDescription) -> None:
        self._store = connection.open_store(description.output_uri)
        self._key = f"{description.name}/succession"

    def read(self) -> bytes:
        """What was said; nothing is `b""`."""
        return self._store.get(self._key) if self._store.head(self._key) is not None else b""

    def say(self, word: bytes) -> bytes:
        """Says it, unless something was said before; returns what holds."""
        return word if self._store.put_if_absent(self._key, word) else self._store.get(self._key)

    def end(self) -> None:
        """Says that nothing follows, whatever was said before."""
        while self.say(ENDS) != ENDS:  # another process may say again that it goes on
            self._store.delete(self._key)


def stop_for_good(connection: Connection, description: TrainingJobDescription) -> None:
    """Stops a job, and sees to it that no other goes on with its work.

    Raises:
        JobNotFound: There is no such job any more.
    """
    if find_plan(description) is not None:
        try:
            Word(connection, description).end()
        except StorageError as error:
            logger.warning("That nothing is to follow %s cannot be stored: %s", description.name, error)
    connection.training_jobs.stop(description.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Successor:
    """A job that goes on with another's work."""

    name: str
    arn: str
    created: datetime


class Chain:
    """Follows one call's jobs up.

    Args:
        connection: Where its jobs are.
        charges: What its jobs may cost; None where nobody counts.

    Attributes:
        is_over: Whether nothing is to follow any more.
        lock: Held while a job is followed by another, and while one is stopped.
        placed_on: The instance type of the job that was created last; empty before, and for groups of instances.
        locks: Keeps the locks of its jobs in order.
        heard: Where what happens is noted for somebody who tells it; None to have it logged.
    """

    def __init__(self, connection: Connection, charges: Charges | None = None) -> None:
        self._connection = connection
        self._charges = charges
        self.is_over = False
        self.lock = threading.RLock()
        self.locks = LockRelay()
        self.heard: list[str] | None = None
        self.placed_on = ""

    def create(self, request: Mapping[str, Any]) -> str:
        """Creates a call's first job, on the first instance type that is not refused; returns its ARN.

        Raises:
            SubmitError: All were refused; the last refusal.
        """
        arn, _ = self._create(request, read_plan(request.get("Environment")))
        return arn

    def _create(self, request: Mapping[str, Any], plan: Plan | None) -> tuple[str, Plan | None]:
        """Creates a job where its plan has it; returns its ARN, and its plan after what was refused."""
        while True:
            try:
                arn = create_training_job(request, self._connection, self._charges)
                self.placed_on = request["ResourceConfig"].get("InstanceType", "")
                return arn, plan
            except SubmitError as error:
                ending = read_refusal(error)
                further = plan_successor(plan, ending) if plan is not None and ending is not None else None
                if plan is None or ending is None or further is None:
                    raise
                self._say(f"{plan.describe()}: {ending.describe()}; {further.describe()} is tried")
                plan, request = further, _place(request, further, name=request["TrainingJobName"])

    def go_on(self, end: TrainingJobDescription, error: BaseException | None) -> Successor | None:
        """Creates what follows a job that has ended, or finds it; None where nothing does.

        Args:
            end: The job.
            error: What it raised, as far as it was looked at.

        Raises:
            SubmitError: The API refused the successor, for another reason than want of capacity or quota.
        """
        plan = find_plan(end)
        if plan is None or self.is_over:
            return None
        ending = self._read_ending(end, error)
        step = plan_successor(plan, ending) if ending is not None else None
        if ending is None or step is None or self._is_last(end, error):
            return None
        try:
            return self._follow(end, ending, step)
        except SubmitError as refusal:
            if error is None or read_refusal(refusal) is None:
                add_note(refusal, f"It was to go on with {end.name}, which has ended: {ending.describe()}.")
                raise
            add_note(error, f"It was not tried again on {step.describe()}: {refusal.why or refusal.what}")
            return None

    def _follow(self, end: TrainingJobDescription, ending: Ending, step: Plan) -> Successor:
        """Creates a job's successor, or finds the one that another process has created."""
        run_name = find_run_name(end)
        name = build_successor_name(run_name, step.number)
        tags = self._connection.training_jobs.list_tags(end.arn)
        request = _place(rebuild_request(end, tags), step, name=name, run_name=run_name, before=end.name)
        created = end.end_time or end.creation_time  # another process may have been faster
        try:
            arn, placed = self._create(request, step)
        except JobNameInUse:
            there = self._connection.training_jobs.describe(name)
            if find_run_name(there) != run_name:
                raise
            return Successor(name=name, arn=there.arn, created=there.creation_time)
        self._say(f"{end.name}: {ending.describe()}; training job {name} goes on with {(placed or step).describe()}")
        store_lock = partial(hand_on_lock, end.name, name, end.output_uri, self.placed_on, self._connection)
        self.locks.pass_on(store_lock)
        return Successor(name=name, arn=arn, created=created)

    def _read_ending(self, end: TrainingJobDescription, error: BaseException | None) -> Ending | None:
        if error is not None:
            return read_error(error)
        was_handed_over = end.status is TrainingJobStatus.STOPPED and self._hear(end) == GOES_ON
        return read_shortage(end, was_handed_over=was_handed_over)

    def _is_last(self, end: TrainingJobDescription, error: BaseException | None) -> bool:
        """Whether nothing follows although the plan would have it."""
        ended = end.end_time or end.creation_time
        if (datetime.now(timezone.utc) - ended).total_seconds() > LATEST_S:
            if error is not None:
                add_note(error, f"{end.name} ended more than a day ago: nothing goes on with it. Call again.")
            return True
        return self._hear(end) == ENDS

    def _hear(self, end: TrainingJobDescription) -> bytes:
        try:
            return Word(self._connection, end).read()
        except StorageError as trouble:
            logger.warning("What is to follow %s cannot be read: %s", end.name, trouble)
            return b""

    def guard(self, name: str, *, after_s: float = 0.0) -> None:
        """Sees to it that a job does not wait until there is no time left; see `hand_over`."""
        self._connection.alarm.call_after(after_s, lambda: self._look_at_wait(name))

    def _look_at_wait(self, name: str) -> float | None:
        try:
            return self.hand_over(name)
        except JobNotFound:
            return None
        except RemoteError as error:
            logger.debug("Whether %s waits too long cannot be seen: %s", name, error)
            return LOOK_AGAIN_AFTER_S

    def hand_over(self, name: str) -> float | None:
        """Stops a job on spot capacity that waits and whose time is nearly over, so that another goes on on demand.

        Returns:
            After how many seconds to look again; None for never.

        Raises:
            RemoteError: The API or the store did not answer.
        """
        description = self._connection.training_jobs.describe(name)
        margin_s = compute_margin_s(description)
        if description.status is not TrainingJobStatus.IN_PROGRESS or margin_s is None or self.is_over:
            return None
        left_s = measure_time_left(description, datetime.now(timezone.utc))
        if left_s > margin_s:
            return left_s - margin_s
        if description.secondary_status not in _WAITS:
            return margin_s / 4 if left_s > 0 else None  # it runs: it may end in time, or be interrupted
        if Word(self._connection, description).say(GOES_ON) == GOES_ON:
            self._connection.training_jobs.stop(name)
        return None

    def _say(self, text: str) -> None:
        if self.heard is None:
            logger.warning("%s", text)
        else:
            self.heard.append(f"sm_remote: {text}")

    def take_news(self) -> Iterator[str]:
        """What has happened since it was last asked for."""
        while self.heard:
            yield self.heard.pop(0)


def compute_margin_s(description: TrainingJobDescription) -> float | None:
    """How long before the end of its wait a job that still waits is given up; None for one without such an end."""
    plan, wait_s = find_plan(description), (description.raw.get("StoppingCondition") or {}).get("MaxWaitTimeInSeconds")
    if plan is None or not (plan.spot and plan.on_demand) or not wait_s:
        return None
    return choose_margin_s(wait_s)


def choose_margin_s(wait_s: float) -> float:
    """A tenth of the wait, at most ten minutes: about what it takes to get an instance, an image and the data."""
    return min(600.0, wait_s / 10)


def measure_time_left(description: TrainingJobDescription, now: datetime) -> float:
    """Seconds until the end of a job's wait; negative behind it."""
    wait_s = (description.raw.get("StoppingCondition") or {}).get("MaxWaitTimeInSeconds") or 0
    return float(wait_s - (now - description.creation_time).total_seconds())


def _place(
    request: Mapping[str, Any], plan: Plan, *, name: str, run_name: str | None = None, before: str | None = None
) -> dict[str, Any]:
    """The same job where its plan has it.

    Args:
        request: Of the job before it, or of the one that was refused.
        plan: Its own.
        name: Its own.
        run_name: Whose work it goes on with; None for a call's first job.
        before: The job before it; None for a call's first job.
    """
    environment: dict[str, str | None] = {SUCCESSION_VARIABLE: write_plan(plan)}
    if run_name is not None:
        environment[RUN_VARIABLE] = run_name
    if not plan.spot:
        environment[CHECKPOINT_WATCH_VARIABLE] = None
    return change_request(
        request,
        name=name,
        instance_type=plan.instance_type or None,
        spot=plan.spot,
        chains_tags=plan.chains_tags,
        environment=environment,
        tags={} if before is None else {CONTINUES_TAG: before},
    )


def find_error(value: Any) -> BaseException | None:
    """What a cell raised, which is a part of its value; None for any other value."""
    return value.error if isinstance(value, CellEnding) else None


def find_chain(connection: Connection, description: TrainingJobDescription) -> list[TrainingJobDescription]:
    """All jobs of the call that a job belongs to, in order; those that were deleted are left out."""
    plan = find_plan(description)
    if plan is None:
        return [description]
    run_name = find_run_name(description)
    found = []
    for number in range(1, plan.number):
        try:
            found.append(connection.training_jobs.describe(build_successor_name(run_name, number)))
        except JobNotFound:
            continue
    found.append(description)
    while found[-1].status.is_terminal:
        plan = find_plan(found[-1])
        if plan is None or not plan.may_follow:
            break
        try:
            following = connection.training_jobs.describe(build_successor_name(run_name, plan.number + 1))
        except JobNotFound:
            break
        if find_run_name(following) != run_name:
            break
        found.append(following)
    return found


def list_chain(connection: Connection, description: TrainingJobDescription) -> list[TrainingJobDescription]:
    """`find_chain` for those who only look: what cannot be asked for is left out."""
    try:
        return find_chain(connection, description)
    except RemoteError as error:
        logger.debug("The jobs around %s cannot be looked at: %s", description.name, error)
        return [description]
