"""What an hour costs, who says so, and sums of dollars as people read them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sm_remote.costs.demand import Demand, name_machines

HOUR_S = 3600.0
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What an hour of one instance costs on demand.

    Attributes:
        instance_type: As requests name it.
        region: As AWS spells it.
        usd_per_hour: Dollars.
        origin: Who says so, and when: ``AWS price list of 2026-11-20``.
    """

    instance_type: str
    region: str
    usd_per_hour: float
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What an hour of a job costs on demand, with all its machines.

    Attributes:
        machines: ``ml.m5.large``, ``2 x ml.m5.large``.
        region: As AWS spells it.
        usd_per_hour: Dollars; None where a price is not known.
        origin: Who says so; empty where it is not known.
        missing: The instance types whose price is not known.
        is_prepaid: Whether they are of a training plan, whose price is the plan's.
    """

    machines: str
    region: str
    usd_per_hour: float | None
    origin: str = ""
    missing: tuple[str, ...] = ()
    is_prepaid: bool = False

    def cost_usd(self, seconds: float) -> float | None:
        """What so many seconds cost; None where the price is not known."""
        return None if self.usd_per_hour is None else self.usd_per_hour * seconds / HOUR_S

    def describe(self) -> str:
        """``$0.23 an hour (us-east-1, on demand; AWS price list of 2026-11-20)``."""
        if self.is_prepaid:
            return "a training plan is paid for in advance"
        if self.usd_per_hour is None:
            return f"the price of {' and '.join(self.missing)} in {self.region} is not known here"
        return f"{render_hourly(self.usd_per_hour)} an hour ({self.region}, on demand; {self.origin})"


def add_prices(demand: Demand, prices: Sequence[Price | None], region: str) -> Rate:
    """The rate of a job.

    Args:
        demand: What it asks for.
        prices: One for each of its machines' types; None where it is not known.
        region: As AWS spells it.
    """
    name = name_machines(demand)
    if demand.is_prepaid:
        return Rate(machines=f"{name} of a training plan", region=region, usd_per_hour=None, is_prepaid=True)
    known = [price for price in prices if price is not None]
    if len(known) < len(demand.machines):
        missing = tuple(kind for (kind, _), price in zip(demand.machines, prices, strict=True) if price is None)
        return Rate(machines=name, region=region, usd_per_hour=None, missing=missing)
    total = sum(price.usd_per_hour * count for price, (_, count) in zip(known, demand.machines, strict=True))
    origins = dict.fromkeys(price.origin for price in known)
    return Rate(machines=name, region=region, usd_per_hour=total, origin="; ".join(origins))


def render_usd(amount: float | None) -> str:
    """An amount as people read it: ``$1.84``, below a cent ``under $0.01``, ``unknown``."""
    if amount is None:
        return UNKNOWN
    if 0 < amount < 0.01:
        return "under $0.01"
    return f"${amount:,.2f}"


def render_hourly(usd_per_hour: float | None) -> str:
    """A price of an hour, to the digit: ``$0.7364``; ``unknown``."""
    if usd_per_hour is None:
        return UNKNOWN
    whole, _, cents = f"{usd_per_hour:,.4f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"
