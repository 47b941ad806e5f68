"""How long a job trained, and for how long of it would be paid. Pure.

Source: API_DescribeTrainingJob (TrainingTimeInSeconds, BillableTimeInSeconds). Without spot capacity both are the time
from TrainingStartTime to TrainingEndTime. With it, what was observed on SageMaker is the time at a discount, from which
the SageMaker SDK computes ``Managed Spot Training savings``; the discount here is our choice. The time between two
attempts, in which a job waits for capacity, counts in neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sm_remote.service.records.attempts import AttemptRecord
from sm_remote.service.records.job import JobRecord

SPOT_PRICE_FACTOR = 0.3
"""What a second on spot capacity costs, of one on demand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """Whole seconds, each at least 1: the SageMaker SDK divides by the first."""

    training_s: int
    billable_s: int

    @property
    def savings_percent(self) -> float:
        """As the SageMaker SDK computes them."""
        return 100 * (1 - self.billable_s / self.training_s)


def compute_bill(spans: Sequence[tuple[float, float]], *, is_spot: bool) -> Bill:
    """Adds up a job's time.

    Args:
        spans: When each attempt got its capacity and when it gave it back; seconds since the epoch.
        is_spot: Whether the capacity was spot capacity.
    """
    training_s = max(1, math.ceil(sum(max(0.0, end - start) for start, end in spans)))
    billable_s = max(1, math.ceil(training_s * SPOT_PRICE_FACTOR)) if is_spot else training_s
    return Bill(training_s=training_s, billable_s=billable_s)


def find_bill(record: JobRecord) -> Bill | None:
    """The bill of a job that has ended; None before, and for one that never got capacity."""
    if record.training_ended_at is None or not record.attempts:
        return None
    spans = [(attempt.started_at, _find_end(attempt, record.training_ended_at)) for attempt in record.attempts]
    return compute_bill(spans, is_spot=record.is_spot)


def _find_end(attempt: AttemptRecord, job_ended_at: float) -> float:
    """When an attempt gave its machines back: with the job, which uploads on them, unless it ended before its job."""
    return job_ended_at if attempt.end is None or attempt.ended_at is None else attempt.ended_at
