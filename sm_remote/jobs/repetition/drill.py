"""A fire-drill: a job runs once in peace and then under interruptions, and has to come to the same value.

Everything happens on the local service, by its own operations: spot capacity is taken away at random moments and while
a checkpoint is being written, with a notice and without one; and where the newest checkpoint is to have arrived in S3
only in part, it is damaged there while the job waits for capacity.
"""

from __future__ import annotations

import dataclasses
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sm_remote.aws.local_service import call_service
from sm_remote.checkpoints.rehearsal import OPEN, SAVED, WRITING
from sm_remote.errors import DrillFailed, JobError, RemoteError, ServiceUnavailable
from sm_remote.home import Discovery
from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration, list_stored, tear_newest
from sm_remote.jobs.job import Job
from sm_remote.jobs.logs.job_log import follow_log
from sm_remote.jobs.repetition.drill_plan import HOLD_SHARE, Blow, DrillReport, Part, count_interruptions, plan_drill
from sm_remote.jobs.repetition.equality import are_equal, tell_apart
from sm_remote.spec import Checkpoints, SecondaryStatus
from sm_remote.wire.layout import CHECKPOINT_WATCH_VARIABLE, DRILL_VARIABLE, SUCCESSION_VARIABLE

HEEDED_GRACE_S = 10.0
DEAF_GRACE_S = 0.1
START_LIMIT_S = 600.0
POLL_S = 0.01

Compare = Callable[[Any, Any], Any]


def run_drill(
    create: Callable[[], Job[Any]],
    *,
    interruptions: int,
    seed: int,
    compare: Compare | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> DrillReport:
    """Runs the drill.

    Args:
        create: Makes a job of the call, on spot capacity of the local service, which is not submitted yet.
        interruptions: How many.
        seed: Decides their moments.
        compare: Tells whether two values are the same, by returning something true; by default to the last bit.
        say: Tells how far it is.

    Raises:
        DrillFailed: The interrupted job came to another value, or to none.
        BaseException: What the uninterrupted job raised.
    """
    calm = _Rehearsed(create(), share=0.0, deaf=False)
    say(f"uninterrupted: {calm.job.name}")
    calm.submit()
    expected = calm.job.result()
    work_s = calm.measure_work()
    newest = max((each.manifest for each in calm.list_stored()), key=lambda each: each.number, default=None)
    chance = random.Random(seed)  # noqa: S311 - no secret
    parts = []
    for part in plan_drill(interruptions, seed, work_s):
        rehearsed = _Rehearsed(create(), share=HOLD_SHARE if part.deaf else 0.0, deaf=part.deaf)
        rehearsed.has_loop = calm.has_loop
        what = "SIGTERM ignored" if part.deaf else "with a notice"
        say(f"{count_interruptions(len(part.blows))}, {what}: {rehearsed.job.name}")
        rehearsed.submit()
        rehearsed.strike_all(part, work_s, chance)
        rehearsed.check(expected, compare)
        parts.append(rehearsed)
    return DrillReport(
        jobs=tuple(each.job.name for each in (calm, *parts)),
        interruptions=sum(each.struck for each in parts),
        during_writes=sum(each.in_writes for each in parts),
        torn=sum(each.torn for each in parts),
        deaf=sum(each.struck for each in parts if each.deaf),
        work_s=work_s,
        lost_s=tuple(lost for each in parts for lost in each.list_lost()),
        lost_saves=tuple(lost for each in parts for lost in count_lost_saves(each._history)),
        restart_s=tuple(restart for each in parts for restart in each.restart_s),
        saves=newest.saves if newest else 0,
        saving_s=newest.total_saving_s if newest else 0.0,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    """A line with which the job told where it is; at the end of its log an empty one."""

    text: str
    at: float


@dataclass
class _Rehearsed:
    """One job of a drill.

    Attributes:
        job: The job.
        share: How likely each save holds still.
        deaf: Whether it ignores SIGTERM.
        has_loop: Whether its function opens a checkpoint, as far as is known.
        struck: How often it was interrupted.
        in_writes: How often while it wrote a checkpoint.
        torn: How often its newest checkpoint was damaged.
        restart_s: How long it took each time until its loop went on.
    """

    job: Job[Any]
    share: float
    deaf: bool
    has_loop: bool = True
    struck: int = 0
    in_writes: int = 0
    torn: int = 0
    restart_s: list[float] = field(default_factory=list)
    _strikes: list[float] = field(default_factory=list)
    _history: list[_Mark] = field(default_factory=list)
    _marks: queue.Queue[_Mark] = field(default_factory=queue.Queue)
    _place: str = ""
    _instance_type: str = ""

    def submit(self) -> None:
        """Starts the job and listens to its log."""
        spec = self.job._spec
        if spec is None or spec.spot is None or self._discovery is None:
            raise RemoteError("A drill is for a job on spot capacity of the local service that was not submitted yet.")
        self._instance_type = spec.resources.instance_type
        place = spec.checkpoints.s3_uri if spec.checkpoints else spec.output_uri
        self._place = f"{place.rstrip('/')}/drills/{spec.name}"
        environment = {**spec.environment, DRILL_VARIABLE: f"{self.share},{'deaf' if self.deaf else 'hearing'}"}
        for name in (CHECKPOINT_WATCH_VARIABLE, SUCCESSION_VARIABLE):  # this very job is rehearsed
            environment.pop(name, None)
        grace_s = DEAF_GRACE_S if self.deaf else HEEDED_GRACE_S
        self.job._spec = dataclasses.replace(
            spec,
            checkpoints=dataclasses.replace(spec.checkpoints or Checkpoints(s3_uri=""), s3_uri=self._place),
            environment=environment,
            tags=(*spec.tags, ("sm_remote:interrupt-grace", f"{grace_s:g}")),
        )
        self.job._submit()
        threading.Thread(target=self._listen, name=f"drill {self.job.name}", daemon=True).start()

    @property
    def _discovery(self) -> Discovery | None:
        return self.job._connection.training_jobs.session.discovery

    def _call(self, operation: str, body: Mapping[str, Any]) -> None:
        if self._discovery is not None:
            call_service(self._discovery, operation, body)

    def _listen(self) -> None:
        try:
            for line in follow_log(self.job._connection.training_jobs, self.job.name, follow=True):
                if line.startswith((OPEN, SAVED, WRITING)):
                    mark = _Mark(text=line, at=time.monotonic())
                    self._history.append(mark)
                    self._marks.put(mark)
        finally:
            self._marks.put(_Mark(text="", at=time.monotonic()))

    def measure_work(self) -> float:
        """How long the loop took, once the job has ended; without a loop, how long the job ran."""
        opened = self._await_mark(OPEN)
        if opened is None:
            self.has_loop = False
            return sum(each.duration_s or 0.0 for each in self.job.attempts)
        end = next(mark for mark in iter(self._marks.get, None) if not mark.text)
        return max(end.at - opened.at, POLL_S)

    def _await_mark(self, kind: str, limit_s: float = START_LIMIT_S) -> _Mark | None:
        """The next mark of a kind; None where the job ends first, or the time does."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                mark = self._marks.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if not mark.text:
                self._marks.put(mark)
                return None
            if mark.text.startswith(kind):
                return mark

    # -- interrupting -----------------------------------------------------------------------------------------------

    def strike_all(self, part: Part, work_s: float, chance: random.Random) -> None:
        """Interrupts the job, each time once it has begun again."""
        for blow in part.blows:
            if not self._await_begin():
                return
            point = self._await_moment(blow, work_s)
            if not self._strike(tears=point == "published", chance=chance):
                return
            self.in_writes += point is not None

    def _await_begin(self) -> bool:
        """Waits until the function is in its loop; whether it came to that."""
        if not self.has_loop:
            return self._await_training()
        opened = self._await_mark(OPEN)
        if opened is None:
            return False
        if self._strikes:
            self.restart_s.append(opened.at - self._strikes[-1])
        return True

    def _await_training(self) -> bool:
        """Waits until the function runs, in an attempt that was not interrupted yet."""
        while True:
            description = self.job._look()
            begun = [each for each in description.transitions if each.status == SecondaryStatus.TRAINING]
            if description.secondary_status is SecondaryStatus.TRAINING and len(begun) > self.struck:
                return True
            if description.status.is_terminal:
                return False
            time.sleep(POLL_S)

    def _await_moment(self, blow: Blow, work_s: float) -> str | None:
        """Waits for the moment of an interruption; at which point of a save it is, if during one."""
        if not blow.in_write or not self.has_loop:
            time.sleep(blow.after_s)
            return None
        mark = self._await_mark(WRITING, limit_s=max(work_s, 1.0))
        return mark.text.removeprefix(WRITING).strip() if mark else None

    def _strike(self, *, tears: bool, chance: random.Random) -> bool:
        """Takes the capacity away; whether there was a job to take it from."""
        if tears:
            self._set_capacity("pending")
        try:
            if not self._interrupt():
                return False
            self._strikes.append(time.monotonic())
            self.struck += 1
            if tears:
                self._await_pause()
                self.torn += tear_newest(self.job._connection.open_store(self._place), chance)
        finally:
            if tears:
                self._set_capacity("available")
        return True

    def _interrupt(self) -> bool:
        while not self.job._look().status.is_terminal:
            try:
                self._call("InterruptTrainingJob", {"TrainingJobName": self.job.name})
                return True
            except ServiceUnavailable:
                time.sleep(POLL_S)  # it is uploading, or between two attempts
        return False

    def _await_pause(self) -> None:
        """Waits until the job waits for capacity: its checkpoints are in S3, and nothing restores them yet."""
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            description = self.job._look()
            if description.secondary_status is SecondaryStatus.PENDING or description.status.is_terminal:
                return
            time.sleep(POLL_S)

    def _set_capacity(self, capacity: str) -> None:
        body = {"InstanceType": self._instance_type, "Market": "spot", "Capacity": capacity}
        self._call("SetCapacity", body)

    # -- judging ----------------------------------------------------------------------------------------------------

    def check(self, expected: Any, compare: Compare | None) -> None:
        """Waits for the value, and compares it.

        Raises:
            DrillFailed: It is another, or there is none.
        """
        error = self.job.exception()
        endured = count_interruptions(self.struck)
        if error is not None:
            raise DrillFailed(
                f"{self.job.name} raised {type(error).__name__} after {endured}; uninterrupted, the "
                "same call came to a value.",
                why=str(error),
                fix=f"See where it went wrong: `sm-remote logs {self.job.name}`.",
                job_name=self.job.name,
            ) from (None if isinstance(error, JobError) else error)
        value = self.job.result()
        if not (compare or are_equal)(expected, value):
            raise DrillFailed(
                f"{self.job.name} came to another value after {endured} than the same call without.",
                why=tell_apart(expected, value),
                fix="Save all that the loop goes on from: also the optimiser's state and the random generators'. Where "
                "values may differ a little, a function's drill takes compare=.",
                job_name=self.job.name,
                expected=expected,
                value=value,
            )

    def list_stored(self) -> list[StoredGeneration]:
        """The job's checkpoints in S3."""
        return list_stored(self.job._connection.open_store(self._place))

    def list_lost(self) -> list[float]:
        """The work that each interruption has cost: from what the next attempt went on from to the interruption."""
        return [lost for each in self._strikes if (lost := measure_loss(self._history, each)) is not None]


def count_lost_saves(history: Sequence[_Mark]) -> list[int]:
    """How many saved checkpoints each beginning could not go on from; exact, since a log keeps its order.

    Args:
        history: What the job told of itself, in order; steps that it did not name are left out.
    """
    lost: list[int] = []
    last: int | None = None
    for mark in history:
        kind, _, step = mark.text.rpartition(" ")
        if kind == OPEN and last is not None:
            lost.append(last - (int(step) if step.isdigit() else -1))
        if kind in (OPEN, SAVED) and step.isdigit():
            last = int(step)
    return lost


def measure_loss(history: Sequence[_Mark], struck_at: float) -> float | None:
    """Seconds of work that an interruption has cost; None where the loop was not begun again.

    Args:
        history: What the job told of itself, in order.
        struck_at: When it was interrupted, by the same clock.
    """
    before = [mark for mark in history if mark.at <= struck_at]
    later = [mark for mark in history if mark.at > struck_at and mark.text.startswith(OPEN)]
    begun = [mark for mark in before if mark.text.startswith(OPEN)]
    if not later or not begun:
        return None
    step = later[0].text.removeprefix(OPEN)
    saved = [mark.at for mark in before if mark.text.startswith(SAVED) and mark.text.removeprefix(SAVED) == step]
    return struck_at - max(begun[-1].at, saved[-1] if saved else 0.0)
