"""One training job in the ledger: what it may cost while it runs, and what it has cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.costs.price import Rate

SAGEMAKER = "sagemaker"


class EntryState(str, Enum):
    """How far an entry is settled."""

    OPEN = "open"
    """The job was to be created, and is not known to have ended."""
    POOL = "pool"
    """The job has ended, and its warm pool has not."""
    SETTLED = "settled"
    """All that it costs is known."""
    VOID = "void"
    """The job was never created."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One training job.

    Attributes:
        name: The training job's.
        target: ``local`` or ``sagemaker``. Nothing is charged for a local one: its amounts are what SageMaker would.
        region: Where it runs; on this machine the region whose prices are compared.
        call: The name of the first job of its call: fallbacks and retries have the same.
        function: The function's name.
        code: A digest over the function and its sources; empty where it is not known.
        machines: ``ml.m5.large``, ``2 x ml.m5.large``.
        instances: How many machines.
        is_spot: Whether it runs on spot capacity.
        usd_per_hour: On demand, for all its machines; None where it is not known.
        price_origin: Who says so.
        limit_usd: The most that it can cost, by the limit of its time; None where the price is not known.
        opened_at: Seconds since 1970.
        state: How far it is settled.
        status: The job's own, once it has ended.
        ended_at: Seconds since 1970; None before.
        training_s: As SageMaker says, of one machine; None before the end.
        billable_s: As SageMaker says, of one machine: with spot capacity less than it trained.
        pool_s: For how long its warm pool was billed.
        account: The AWS account that it runs in; empty on this machine, and where it is not known.
    """

    name: str
    target: str
    region: str
    call: str
    function: str
    code: str
    machines: str
    instances: int
    is_spot: bool
    usd_per_hour: float | None
    price_origin: str
    limit_usd: float | None
    opened_at: float
    state: EntryState = EntryState.OPEN
    status: str = ""
    ended_at: float | None = None
    training_s: float | None = None
    billable_s: float | None = None
    pool_s: float | None = None
    account: str = ""

    @property
    def is_charged(self) -> bool:
        """Whether somebody pays for it."""
        return self.target == SAGEMAKER

    @property
    def rate(self) -> Rate:
        """What an hour of it costs."""
        return Rate(
            machines=self.machines, region=self.region, usd_per_hour=self.usd_per_hour, origin=self.price_origin
        )

    @property
    def cost_usd(self) -> float | None:
        """What it has cost as far as that is known; None where the price is not, or the job has not ended."""
        if self.state is EntryState.VOID:
            return 0.0
        if self.billable_s is None:
            return None
        return self.rate.cost_usd(self.billable_s + (self.pool_s or 0.0))

    @property
    def saved_usd(self) -> float | None:
        """What spot capacity has saved; None where that is not known."""
        if not self.is_spot or self.billable_s is None or self.training_s is None:
            return None
        return self.rate.cost_usd(max(0.0, self.training_s - self.billable_s))

    @property
    def held_usd(self) -> float | None:
        """What is counted for it under a limit: its cost once that is final, the most that it can be before."""
        return self.cost_usd if self.state in (EntryState.SETTLED, EntryState.VOID) else self.limit_usd


def settle(entry: Entry, description: TrainingJobDescription) -> Entry:
    """The entry after what SageMaker says of its job; the same while the job runs.

    Source: API_DescribeTrainingJob, BillableTimeInSeconds; API_WarmPoolStatus: ResourceRetainedBillableTimeInSeconds
    is there once the pool is reused or terminated.
    """
    if not description.status.is_terminal:
        return entry
    raw = description.raw
    pool_s, waits = read_pool(description)
    end = description.end_time or raw.get("LastModifiedTime") or description.creation_time
    billable_s = find_billed(description)
    training_s = raw.get("TrainingTimeInSeconds")
    return replace(
        entry,
        state=EntryState.POOL if waits else EntryState.SETTLED,
        status=str(description.status),
        ended_at=end.timestamp(),
        training_s=billable_s if training_s is None else float(training_s),
        billable_s=billable_s,
        pool_s=pool_s,
    )


def read_pool(description: TrainingJobDescription) -> tuple[float | None, bool]:
    """For how many seconds a job's warm pool was billed, None where nothing is said, and whether it goes on."""
    pool = description.raw.get("WarmPoolStatus") or {}
    pool_s = pool.get("ResourceRetainedBillableTimeInSeconds")
    return None if pool_s is None else float(pool_s), pool.get("Status") in ("Available", "InUse") and pool_s is None


def find_billed(description: TrainingJobDescription, now: datetime | None = None) -> float:
    """The seconds of one machine that are billed; where SageMaker does not say them, the time on the machine.

    Args:
        description: The job; one that never got a machine has no such time.
        now: Up to when one counts that has no end.
    """
    if description.billable_s is not None:
        return float(description.billable_s)
    end = description.end_time or now
    if description.start_time is None or end is None:
        return 0.0
    return max(0.0, (end - description.start_time).total_seconds())


def void(entry: Entry, now: float) -> Entry:
    """The entry of a job that was never created."""
    return replace(entry, state=EntryState.VOID, ended_at=now, training_s=0.0, billable_s=0.0)
