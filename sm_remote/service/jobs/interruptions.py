"""When spot capacity is taken away on this machine: by a script, since nothing here takes it away by itself.

A job names its script by tags, which any client can send: ``sm_remote:interrupt-at`` (seconds of running time, such as
``5 12``), or ``sm_remote:interrupt-seed`` (with ``sm_remote:interrupt-mean``, seconds) for random moments that are the
same in every run. Seconds are counted over all attempts, so each moment comes once.
`InterruptTrainingJob` comes on top.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, count

from sm_remote.service.records import states
from sm_remote.service.records.attempts import AttemptEnd
from sm_remote.service.records.job import JobRecord
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

AT = "sm_remote:interrupt-at"
SEED = "sm_remote:interrupt-seed"
MEAN = "sm_remote:interrupt-mean"
GRACE = "sm_remote:interrupt-grace"
_DEFAULT_MEAN_S = 60.0
_SHORTEST_MEAN_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class InterruptionPlan:
    """A script of interruptions.

    Attributes:
        at_s: Seconds of running time, ascending.
        seed: For random moments instead; None for none.
        mean_s: Between two random moments, on average.
        grace_s: From SIGTERM to SIGKILL; 0 for SIGKILL alone, None for the service's own.
    """

    at_s: tuple[float, ...] = ()
    seed: str | None = None
    mean_s: float = _DEFAULT_MEAN_S
    grace_s: float | None = None

    def find_next(self, after_s: float) -> float | None:
        """The first moment after this much running time, or None."""
        if self.seed is None:
            return next((moment for moment in self.at_s if moment > after_s), None)
        chance = random.Random(self.seed)  # noqa: S311 - a script, not a secret
        moments = accumulate(chance.expovariate(1 / self.mean_s) for _ in count())
        return next(moment for moment in moments if moment > after_s)


def parse_plan(tags: Mapping[str, str]) -> InterruptionPlan:
    """The plan that a job's tags name; an empty one where they name none.

    Raises:
        ValueError: A tag cannot be understood; the text says which and why.
    """
    if AT in tags and SEED in tags:
        raise ValueError(f"give either {AT} or {SEED}, not both")
    at_s = tuple(sorted(_read_seconds(AT, word) for word in tags.get(AT, "").split()))
    mean_s = _read_seconds(MEAN, tags[MEAN]) if MEAN in tags else _DEFAULT_MEAN_S
    if mean_s < _SHORTEST_MEAN_S:
        raise ValueError(f"{MEAN} must be at least {_SHORTEST_MEAN_S} seconds, not {tags[MEAN]!r}")
    return InterruptionPlan(
        at_s=at_s,
        seed=tags.get(SEED),
        mean_s=mean_s,
        grace_s=_read_seconds(GRACE, tags[GRACE]) if GRACE in tags else None,
    )


def find_interruption(record: JobRecord) -> float | None:
    """When the current attempt is to be interrupted by its job's script; None for never.

    Seconds since the epoch; may lie in the past, after a restart of the service.
    """
    attempt = record.current
    if not record.is_spot or attempt.container_started_at is None or attempt.end is not None:
        return None
    before_s = sum(earlier.running_s(attempt.started_at) for earlier in record.attempts[:-1])
    moment_s = parse_plan(record.tags).find_next(before_s)
    return None if moment_s is None else attempt.container_started_at + moment_s - before_s


def with_interruption(record: JobRecord, now: float) -> JobRecord:
    """A record whose current attempt is to end because its capacity is taken away; a stop wins over that."""
    if record.stop_cause is not None or record.current.end is not None:
        return record
    record = record.with_attempt(end=AttemptEnd.INTERRUPTED)
    return record.advanced(Status.IN_PROGRESS, Secondary.INTERRUPTED, states.INTERRUPTED_MESSAGE, now)


def _read_seconds(tag: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise ValueError(f"{tag} must be seconds, not {text!r}")
    return seconds
