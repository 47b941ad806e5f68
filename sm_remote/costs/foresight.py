"""What a call would cost that is not made yet: its estimate, the most that it may, and whether it would be refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from sm_remote.costs.demand import Demand
from sm_remote.costs.entry import SAGEMAKER
from sm_remote.costs.estimate import Estimate, choose_runs
from sm_remote.costs.ledger import Ledger, find_day_began
from sm_remote.costs.limit import Limits, check_day, check_estimate, find_most_usd, find_runtime
from sm_remote.costs.price import Rate
from sm_remote.costs.price_book import choose_region, read_price_book
from sm_remote.errors import MaxCostExceeded, StorageError
from sm_remote.home import Home

logger = logging.getLogger("sm_remote")


@dataclass(frozen=True, kw_only=True, slots=True)
class Foresight:
    """What a call would cost.

    Attributes:
        estimate: By its function's own history.
        most_usd: What its limits leave it at most; None where the price is not known.
        refusal: Why it would be refused; None where it would not.
    """

    estimate: Estimate
    most_usd: float | None
    refusal: MaxCostExceeded | None = None

    @property
    def rate(self) -> Rate:
        """What an hour of it costs."""
        return self.estimate.rate


def foresee(
    home: Home,
    demand: Demand,
    *,
    target: str,
    region: str | None,
    function: str,
    code: str,
    limits: Limits,
    now: datetime,
) -> Foresight:
    """Looks at prices and ledger; asks nobody and enters nothing. A ledger that cannot be read counts as empty.

    Args:
        home: This user's state.
        demand: What the call asks for.
        target: ``local`` or ``sagemaker``.
        region: Where it would run; None where none is set.
        function: Its function's name.
        code: A digest over the function; empty where it is not known.
        limits: What a person allows.
        now: This moment.
    """
    rate = read_price_book(home, choose_region(region)).rate(demand)
    ledger = Ledger(home)
    try:
        runs = ledger.list_runs(function, target, rate.machines)
        day = [entry for entry in ledger.list_since(find_day_began(now)) if entry.is_charged]
    except StorageError as error:
        logger.debug("The ledger cannot be read: %s", error)
        runs, day = [], []
    estimate = Estimate(rate=rate, history=choose_runs(runs, function, rate.machines, code))
    if target != SAGEMAKER:
        return Foresight(estimate=estimate, most_usd=find_most_usd(demand, rate))
    try:
        check_estimate(estimate, limits)
        limited = replace(demand, runtime_s=find_runtime(demand, rate, limits, ()))
        check_day(limited, rate, limits, day)
    except MaxCostExceeded as error:
        return Foresight(estimate=estimate, most_usd=find_most_usd(demand, rate), refusal=error)
    return Foresight(estimate=estimate, most_usd=find_most_usd(limited, rate))
