"""What became of a call, over all the training jobs that it was: its phases and its attempts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.checkpoints.manifest import GenerationManifest
from sm_remote.jobs.succession.attempts import Attempt, measure_losses, split_attempts
from sm_remote.jobs.succession.plan import Plan, find_plan, find_run_name


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Phase:
    """One stretch of a job's life.

    Attributes:
        name: A secondary status, such as ``Downloading``.
        start: When it began.
        duration_s: How long it took; up to now while it lasts.
        message: What the service said of it.
    """

    name: str
    start: datetime
    duration_s: float
    message: str

    def __repr__(self) -> str:
        return f"<Phase {self.name}: {self.duration_s:.2f} s from {self.start:%H:%M:%S}>"


def list_phases(jobs: Iterable[TrainingJobDescription], now: datetime) -> list[Phase]:
    """The phases of jobs, in order; stretches that share a secondary status are one phase."""
    phases: list[Phase] = []
    for transition in chain.from_iterable(each.transitions for each in jobs):
        end = transition.end or now
        if phases and phases[-1].name == transition.status:
            start, message = phases[-1].start, phases[-1].message
            phases.pop()
        else:
            start, message = transition.start, transition.message
        duration_s = max(0.0, (end - start).total_seconds())
        phases.append(Phase(name=transition.status, start=start, duration_s=duration_s, message=message))
    return phases


def list_history(
    jobs: Sequence[TrainingJobDescription],
    find_checkpoints: Callable[[TrainingJobDescription], Iterable[GenerationManifest]],
) -> tuple[Attempt, ...]:
    """The attempts of a call: those of all its jobs, and those that came to nothing for want of capacity or quota.

    Args:
        jobs: In order.
        find_checkpoints: What a job has in S3; the jobs of a call have the same.
    """
    attempts: list[Attempt] = []
    for position, job in enumerate(jobs):
        plan = find_plan(job)
        following = find_plan(jobs[position + 1]) if position + 1 < len(jobs) else None
        cause = following.cause if following is not None else ""
        if len(jobs) > 1 and job.status.is_terminal:
            cause = cause or str(job.secondary_status)
        attempts += _list_refused(job, plan)
        attempts += _end_with(split_attempts(job), job, cause)
    newest = jobs[-1]
    own = [each for each in find_checkpoints(newest) if each.job == find_run_name(newest)]
    return measure_losses(attempts, own, keeps="CheckpointConfig" in newest.raw)


def _list_refused(job: TrainingJobDescription, plan: Plan | None) -> list[Attempt]:
    """What was refused when the job was created: it took no time."""
    return [
        _build_vain(job, instance_type=name, cause=f"no {cause}", end=job.creation_time)
        for name, cause in (plan.refused if plan is not None else ())
    ]


def _end_with(attempts: list[Attempt], job: TrainingJobDescription, cause: str) -> list[Attempt]:
    """Says why another job followed: of the attempt that ended so, or of the wait in which none began."""
    if not cause:
        return attempts
    if not attempts:
        end = job.end_time or job.creation_time
        return [_build_vain(job, instance_type=job.instance_type or "", cause=cause, end=end)]
    if attempts[-1].cause in ("Interrupted", "Restarting"):
        return attempts  # and waited in vain for the next one
    return [*attempts[:-1], replace(attempts[-1], cause=cause)]


def _build_vain(job: TrainingJobDescription, *, instance_type: str, cause: str, end: datetime) -> Attempt:
    return Attempt(
        number=0,
        start=job.creation_time,
        end=end,
        cause=cause,
        lost_s=0.0,
        job_name=job.name,
        instance_type=instance_type,
        spot=bool(job.raw.get("EnableManagedSpotTraining")),
        has_run=False,
    )
