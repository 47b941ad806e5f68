"""What one job has cost up to now, and in which words that is told."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.costs.entry import SAGEMAKER, Entry, find_billed, read_pool
from sm_remote.costs.ledger import Ledger
from sm_remote.costs.price import UNKNOWN, Rate, render_usd
from sm_remote.costs.price_book import rate_job
from sm_remote.errors import StorageError
from sm_remote.home import Home

logger = logging.getLogger("sm_remote")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What one job has cost up to now.

    Attributes:
        usd: What SageMaker charges, or would charge, its warm pool with it; None where the price is not known.
        billed_s: The seconds that are billed, of one machine.
        rate: What an hour of it costs: by the ledger on the day of its creation, else today.
        is_charged: Whether somebody pays for it; a job on this machine costs nothing.
        is_final: Whether nothing is added to it.
    """

    usd: float | None
    billed_s: float
    rate: Rate
    is_charged: bool
    is_final: bool

    def describe(self) -> str:
        """``$0.42 so far; $1.57 an hour (eu-west-1, on demand; AWS price list of 2026-11-20)``."""
        more = "" if self.is_final or self.usd is None else " so far"
        return f"{describe_charge(self.usd, is_charged=self.is_charged)}{more}; {self.rate.describe()}"


def describe_charge(usd: float | None, *, is_charged: bool) -> str:
    """``$0.42``, ``unknown``; for a job on this machine ``no charge (on SageMaker about $0.42 on demand)``."""
    if is_charged:
        return render_usd(usd)
    price = render_usd(usd)
    if usd is None:
        price = f"an {UNKNOWN} price"
    elif price.startswith("$"):
        price = f"about {price} on demand"
    return f"no charge (on SageMaker {price})"


def find_spending(description: TrainingJobDescription, home: Home, *, target: str, now: datetime) -> Spending:
    """Looks at the ledger and at prices; asks nobody. A ledger that cannot be read counts as empty.

    Args:
        description: The job.
        home: This user's state.
        target: ``local`` or ``sagemaker``.
        now: This moment, for a job that runs.
    """
    try:
        entry = Ledger(home).find(description.name, target)
    except StorageError as error:
        logger.debug("The ledger cannot be read: %s", error)
        entry = None
    return add_up_job(description, entry, rate_job(description, home), is_charged=target == SAGEMAKER, now=now)


def add_up_job(
    description: TrainingJobDescription, entry: Entry | None, today: Rate, *, is_charged: bool, now: datetime
) -> Spending:
    """A job's seconds at the price that the ledger has for it. Pure.

    Args:
        description: The job.
        entry: Its own in the ledger; None where it has none: it was started from elsewhere.
        today: What an hour of it costs today, for a job without an entry.
        is_charged: Whether it runs on SageMaker.
        now: This moment, for a job that runs.
    """
    rate = today
    if entry is not None and not today.is_prepaid:
        rate = replace(entry.rate, missing=() if entry.usd_per_hour is not None else (entry.machines,))
    pool_s, waits = read_pool(description)
    billed_s = find_billed(description, now) + (pool_s or 0.0)
    return Spending(
        usd=rate.cost_usd(billed_s),
        billed_s=billed_s,
        rate=rate,
        is_charged=is_charged,
        is_final=description.status.is_terminal and not waits,
    )
