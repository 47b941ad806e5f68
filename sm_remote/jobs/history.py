"""What became of a call, over all the training jobs that it was: its phases and its attempts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.checkpoints.manifest import GenerationManifest
from sm_remote.jobs.attempts import Attempt, list_attempts
from sm_remote.jobs.succession import Plan, find_plan


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
        find_checkpoints: What a job has in S3.
    """
    found: list[Attempt] = []
    for position, job in enumerate(jobs):
        plan = find_plan(job)
        following = find_plan(jobs[position + 1]) if position + 1 < len(jobs) else None
        attempts = [*_list_refused(job, plan), *list_attempts(job, find_checkpoints(job))]
        if following is not None and following.cause:
            attempts = _end_with(attempts, job, following.cause)
        found += [replace(each, job_name=job.name) for each in attempts]
    return tuple(replace(each, number=number) for number, each in enumerate(found, 1))


def _list_refused(job: TrainingJobDescription, plan: Plan | None) -> list[Attempt]:
    """What was refused when the job was created: it took no time."""
    at = job.creation_time
    return [
        Attempt(number=0, start=at, end=at, cause=f"no {cause}", lost_s=0.0, instance_type=name)
        for name, cause in (plan.refused if plan is not None else ())
    ]


def _end_with(attempts: list[Attempt], job: TrainingJobDescription, cause: str) -> list[Attempt]:
    """Says why another job followed: of the attempt that ended so, or of the wait in which none began."""
    if attempts and attempts[-1].cause == str(job.secondary_status):
        return [*attempts[:-1], replace(attempts[-1], cause=cause)]
    if any(each.instance_type == (job.instance_type or "") for each in attempts):
        return attempts  # it was interrupted, and waited in vain for the next attempt
    end = job.end_time or job.creation_time
    return [
        *attempts,
        Attempt(
            number=0,
            start=job.creation_time,
            end=end,
            cause=cause,
            lost_s=0.0,
            instance_type=job.instance_type or "",
            spot=bool(job.raw.get("EnableManagedSpotTraining")),
        ),
    ]
