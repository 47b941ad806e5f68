"""The attempts of a training job: when each ran, why it ended, and how much work that cost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest

from sm_remote.aws.responses import TrainingJobDescription, Transition
from sm_remote.checkpoints.manifest import GenerationManifest, Opening
from sm_remote.jobs.succession.plan import find_run_name

_RUNNING = "Training"
_BETWEEN = frozenset({"Interrupted", "Restarting"})
_CLOCKS_DIFFER_S = 1.0  # the job's clock and the service's
_BEFORE = frozenset({"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt of a training job.

    Attributes:
        number: From 1 on.
        start: When its function was started.
        end: When it ended; None while it lasts.
        cause: Why it ended: ``Interrupted``, ``Restarting``, what another job followed for (``CapacityError``,
            ``OutOfMemory``, ``no quota``), or the job's own last status; empty while it lasts.
        lost_s: How much of its work the next attempt had to do again; 0 for the last one, None where that is not known.
        resumed_step: The step from which it went on, as far as a checkpoint told.
        job_name: The training job that it was an attempt of.
        instance_type: What it ran on, or was to run on.
        spot: Whether that was spot capacity.
        has_run: Whether its function was started; else it came to nothing for want of capacity or quota.
        is_estimate: Whether ``lost_s`` is taken from the moments of the checkpoints: what the next attempt went on from
            is known once that has saved one itself.
    """

    number: int
    start: datetime
    end: datetime | None
    cause: str
    lost_s: float | None = None
    resumed_step: int | None = None
    job_name: str = ""
    instance_type: str = ""
    spot: bool = False
    has_run: bool = True
    is_estimate: bool = False

    @property
    def duration_s(self) -> float | None:
        """How long it ran; None while it lasts."""
        return None if self.end is None else (self.end - self.start).total_seconds()


def list_attempts(
    description: TrainingJobDescription, checkpoints: Iterable[GenerationManifest] = ()
) -> tuple[Attempt, ...]:
    """Reads a job's attempts out of its transitions.

    Source: SageMaker Developer Guide, "Managed Spot Training": Interrupted, then Starting and Downloading again.

    Args:
        description: The job.
        checkpoints: What it has in S3: from which work each attempt went on.
    """
    own = [each for each in checkpoints if each.job == find_run_name(description)]
    return measure_losses(split_attempts(description), own, keeps="CheckpointConfig" in description.raw)


def measure_losses(
    attempts: Sequence[Attempt], own: Sequence[GenerationManifest], *, keeps: bool
) -> tuple[Attempt, ...]:
    """Says of each attempt how much work it lost to the next one, and numbers them.

    Args:
        attempts: In order.
        own: The checkpoints that they saved.
        keeps: Whether there is a place for checkpoints at all.
    """
    numbered = [replace(each, number=number) for number, each in enumerate(attempts, 1)]
    ran = [each for each in numbered if each.has_run]
    taken_up = _sort_openings((opening for manifest in own for opening in manifest.openings), ran)
    saved_at = sorted(each.saved_at for each in own)
    found = {}
    for attempt, successor in zip_longest(ran, ran[1:]):
        opened = taken_up[successor.number] if successor is not None else []
        steps = [each.step for each in taken_up[attempt.number] if each.step is not None]
        found[attempt.number] = replace(
            attempt,
            lost_s=0.0 if successor is None else _measure_loss(attempt, opened, saved_at, keeps=keeps),
            is_estimate=successor is not None and keeps and not opened,
            resumed_step=max(steps, default=None),
        )
    return tuple(found.get(each.number, each) for each in numbered)


def split_attempts(description: TrainingJobDescription) -> list[Attempt]:
    """A job's attempts, of which it is not known yet what they lost."""
    attempts: list[Attempt] = []
    start: datetime | None = None
    for transition in description.transitions:
        is_over = transition.status in _BETWEEN or (transition.status in _BEFORE and start is not None)
        if is_over and start is not None:
            cause = transition.status if transition.status in _BETWEEN else "Restarting"
            attempts.append(Attempt(number=len(attempts) + 1, start=start, end=transition.start, cause=cause))
            start = None
        elif transition.status == _RUNNING and start is None:
            start = transition.start
    if start is not None:
        over = description.status.is_terminal
        attempts.append(
            Attempt(
                number=len(attempts) + 1,
                start=start,
                end=_find_end(description.transitions, start) if over else None,
                cause=str(description.secondary_status) if over else "",
            )
        )
    kind, spot = description.instance_type or "", bool(description.raw.get("EnableManagedSpotTraining"))
    return [replace(each, job_name=description.name, instance_type=kind, spot=spot) for each in attempts]


def _find_end(transitions: Sequence[Transition], start: datetime) -> datetime:
    """When the running that began then was over: at the next stretch of another kind."""
    later = [each for each in transitions if each.start >= start and each.status != _RUNNING]
    running = [each.end for each in transitions if each.start >= start and each.status == _RUNNING and each.end]
    return later[0].start if later else running[-1] if running else start


def _sort_openings(openings: Iterable[Opening], attempts: Sequence[Attempt]) -> dict[int, list[Opening]]:
    """Which checkpoints each attempt opened, by its number: an opening belongs to the last one that had begun."""
    found: dict[int, list[Opening]] = {each.number: [] for each in attempts}
    for opening in openings:
        begun = [each.number for each in attempts if each.start.timestamp() - _CLOCKS_DIFFER_S <= opening.at]
        if begun:
            found[begun[-1]].append(opening)
    return found


def _measure_loss(
    attempt: Attempt, taken_up: Sequence[Opening], saved_at: Sequence[float], *, keeps: bool
) -> float | None:
    """Seconds between what the next attempt went on from and the end of this one."""
    start, end = attempt.start.timestamp(), (attempt.end or attempt.start).timestamp()
    if taken_up:
        # The same opening is in every later manifest; of several checkpoints the newest counts.
        known = [each.resumed_at for each in taken_up if each.resumed_at is not None]
    elif saved_at or not keeps:
        known = [moment for moment in saved_at if moment <= end]
    else:
        return None  # a framework's own checkpoints, perhaps: nothing here can read them
    return max(0.0, end - max(start, max(known, default=start)))


def compute_savings(description: TrainingJobDescription) -> float | None:
    """The savings of managed spot training in per cent, as SageMaker computes them; None where there are none.

    Source: SageMaker Developer Guide, "Managed Spot Training": (1 - billable / training time) * 100.
    """
    training_s = description.raw.get("TrainingTimeInSeconds")
    if not description.raw.get("EnableManagedSpotTraining") or not training_s or description.billable_s is None:
        return None
    return (1 - description.billable_s / float(training_s)) * 100


def describe_cost(description: TrainingJobDescription) -> list[str]:
    """What the SageMaker SDK prints at the end of a job on spot capacity. Source: sagemaker.session, logs_for_job."""
    savings = compute_savings(description)
    if savings is None:
        return []
    count = description.host_count
    return [
        f"Training seconds: {description.raw['TrainingTimeInSeconds'] * count}",
        f"Billable seconds: {(description.billable_s or 0) * count}",
        f"Managed Spot Training savings: {savings:.1f}%",
    ]
