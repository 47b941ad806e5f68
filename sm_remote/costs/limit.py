"""`max_cost` and `max_cost_per_day`: what a job may still cost, and the limit of its time that holds it to that. Pure.

The limit is MaxRuntimeInSeconds of the request, whatever the request is made of, so SageMaker itself stops the job,
whatever becomes of this process.
On-demand prices are taken as the upper bound, also for spot capacity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sm_remote.costs.demand import Demand
from sm_remote.costs.entry import Entry, EntryState
from sm_remote.costs.estimate import Estimate
from sm_remote.costs.price import HOUR_S, Rate, render_usd
from sm_remote.errors import MaxCostExceeded
from sm_remote.wire.layout import COST_LIMIT_VARIABLE

STOP_S = 120
"""How long a job is billed beyond its limit, at most. Source: API_StoppingCondition: SIGTERM, then 120 seconds."""
LEAST_RUNTIME_S = 60
"""A job that would be stopped sooner is not worth its start."""
_COUNTED = "Counted is what this machine's ledger holds (`sm-remote costs`)."
_ROUNDING_S = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a person allows.

    Attributes:
        max_cost: Dollars for one call, all its jobs together; None for any amount.
        max_cost_per_day: Dollars for all jobs of a day of UTC; None for any amount.
    """

    max_cost: float | None = None
    max_cost_per_day: float | None = None

    @property
    def are_set(self) -> bool:
        """Whether there is any."""
        return self.max_cost is not None or self.max_cost_per_day is not None


def find_most_usd(demand: Demand, rate: Rate) -> float | None:
    """The most that a job can cost, with the time to stop and its warm pool; None where the price is not known."""
    return rate.cost_usd(demand.runtime_s + STOP_S + demand.keep_alive_s)


def find_runtime(demand: Demand, rate: Rate, limits: Limits, call: Sequence[Entry]) -> int:
    """How long a job may run for what its call may still cost: as long as it asks for, or less.

    Args:
        demand: What it asks for.
        rate: What an hour of it costs.
        limits: What a person allows.
        call: The other jobs of its call.

    Raises:
        MaxCostExceeded: The price is not known, or too little is left.
    """
    if not limits.are_set:
        return demand.runtime_s
    if rate.usd_per_hour is None:
        raise refuse_unknown(rate, limits)
    if limits.max_cost is None:
        return demand.runtime_s
    spent_usd = sum(entry.held_usd or 0.0 for entry in call)
    seconds = (limits.max_cost - spent_usd) * HOUR_S / rate.usd_per_hour
    runtime_s = math.floor(seconds - STOP_S - demand.keep_alive_s + _ROUNDING_S)
    if runtime_s < min(LEAST_RUNTIME_S, demand.runtime_s):
        raise _refuse_little(demand, rate, limits.max_cost, spent_usd)
    return min(runtime_s, demand.runtime_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What travels with a job whose call is limited, so that whoever goes on with it, or sees its end, knows.

    Attributes:
        limits: What a person allows.
        runtime_s: How long the job was to run without them.
    """

    limits: Limits
    runtime_s: int


def write_mark(mark: Mark) -> str:
    """A mark as the value of an environment variable."""
    limits = mark.limits
    return json.dumps([limits.max_cost, limits.max_cost_per_day, mark.runtime_s], separators=(",", ":"))


def read_mark(environment: Mapping[str, str] | None) -> Mark | None:
    """The mark of a job; None where it has none, or none that is understood here."""
    try:
        max_cost, max_cost_per_day, runtime_s = json.loads((environment or {})[COST_LIMIT_VARIABLE])
        limits = Limits(max_cost=_read_usd(max_cost), max_cost_per_day=_read_usd(max_cost_per_day))
        return Mark(limits=limits, runtime_s=int(runtime_s))
    except (KeyError, ValueError, TypeError):
        return None


def _read_usd(value: Any) -> float | None:
    return None if value is None else float(value)


def limit_request(request: Mapping[str, Any], runtime_s: int, mark: Mark) -> dict[str, Any]:
    """The same request with a limit of its time, and the mark that says whence it comes."""
    stopping = {**(request.get("StoppingCondition") or {}), "MaxRuntimeInSeconds": runtime_s}
    environment = {**(request.get("Environment") or {}), COST_LIMIT_VARIABLE: write_mark(mark)}
    return {**request, "StoppingCondition": stopping, "Environment": environment}


def refuse_unknown(rate: Rate, limits: Limits) -> MaxCostExceeded:
    """A limit cannot be held where nobody knows the price."""
    names = [name for name in ("max_cost", "max_cost_per_day") if getattr(limits, name) is not None]
    return MaxCostExceeded(
        f"{' and '.join(names)} cannot be held: {rate.describe()}; no job was created.",
        why="Without a price nobody can tell when the limit is reached.",
        fix=f"{_advise_price(rate)}leave {' and '.join(names)} out.",
        region=rate.region,
        instance_types=rate.missing,
    )


def _advise_price(rate: Rate) -> str:
    if rate.is_prepaid:
        return "A job of a training plan has no price of its own: "
    return (
        f"`sm-remote costs refresh-prices --region {rate.region}` asks AWS (it needs pricing:GetProducts); or choose "
        "another instance_type, or "
    )


def _refuse_little(demand: Demand, rate: Rate, max_cost: float, spent_usd: float) -> MaxCostExceeded:
    pool_s = demand.keep_alive_s
    least = rate.cost_usd(LEAST_RUNTIME_S + STOP_S + pool_s)
    earlier = f", of which earlier jobs of this call took {render_usd(spent_usd)}" if spent_usd else ""
    pool = f" and {pool_s} s of its warm pool" if pool_s else ""
    return MaxCostExceeded(
        f"max_cost is {render_usd(max_cost)}{earlier}: too little for {rate.machines}; no job was created.",
        why=f"It costs {rate.describe()}. {LEAST_RUNTIME_S} s of work, the {STOP_S} s that a job has to stop{pool} "
        f"cost {render_usd(least)}. {_COUNTED}",
        fix="Raise max_cost, or choose a cheaper instance_type.",
        max_cost=max_cost,
        spent_usd=spent_usd,
        least_usd=least,
    )


def check_estimate(estimate: Estimate, limits: Limits) -> None:
    """Refuses a call of which every run so far has cost more than it may.

    Raises:
        MaxCostExceeded: So it is, with the very code that is to run.
    """
    least = estimate.least_usd
    if limits.max_cost is None or least is None or not estimate.history.is_same_code or least <= limits.max_cost:
        return
    raise MaxCostExceeded(
        f"max_cost is {render_usd(limits.max_cost)}, and {estimate.history.function} is going to cost more; no job "
        "was created.",
        why=f"It has cost {estimate.describe().removeprefix('about ')}, always more than that. {_COUNTED}",
        fix=f"Raise max_cost to {render_usd(estimate.most_usd)} or more, or choose another instance_type.",
        max_cost=limits.max_cost,
        least_usd=least,
    )


def check_day(demand: Demand, rate: Rate, limits: Limits, day: Sequence[Entry]) -> None:
    """Refuses a job for which the day has not enough left, should it take all the time that it may.

    Args:
        demand: What the job asks for, with the limit of its time.
        rate: What an hour of it costs.
        limits: What a person allows.
        day: All jobs that have run since the day began, and those that still do.

    Raises:
        MaxCostExceeded: So it is.
    """
    most = find_most_usd(demand, rate)
    if limits.max_cost_per_day is None or most is None:
        return
    ended = [entry for entry in day if entry.state not in (EntryState.OPEN, EntryState.POOL)]
    live = [entry for entry in day if entry.state in (EntryState.OPEN, EntryState.POOL)]
    spent_usd, reserved_usd = (sum(entry.held_usd or 0.0 for entry in entries) for entries in (ended, live))
    left = limits.max_cost_per_day - spent_usd - reserved_usd
    if most <= left + 1e-9:
        return
    unpriced = sum(entry.held_usd is None for entry in day)
    more = f" {unpriced} more have no known price and count nothing." if unpriced else ""
    advice = f"a max_cost of {render_usd(left)} or less, " if left > 0.01 else ""
    raise MaxCostExceeded(
        f"max_cost_per_day is {render_usd(limits.max_cost_per_day)}, and this job may cost {render_usd(most)}; no job "
        "was created.",
        why=f"Today (UTC) {_count(ended, 'ended job')} cost {render_usd(spent_usd)}, and {_count(live, 'live job')} "
        f"may cost {render_usd(reserved_usd)}: {render_usd(max(0.0, left))} are left.{more} {_COUNTED}",
        fix=f"Give {advice}a shorter max_runtime_in_seconds (it is {demand.runtime_s} s), wait for jobs to end, or "
        "raise max_cost_per_day.",
        max_cost_per_day=limits.max_cost_per_day,
        spent_usd=spent_usd,
        reserved_usd=reserved_usd,
        most_usd=most,
    )


def _count(entries: Sequence[Entry], what: str) -> str:
    return f"{len(entries)} {what}{'' if len(entries) == 1 else 's'}"


def describe_most(most_usd: float | None, limits: Limits, *, may_be_followed: bool) -> str:
    """The most that is paid, behind a comma; empty where the price is not known.

    Args:
        most_usd: Of one job.
        limits: What a person allows.
        may_be_followed: Whether other jobs of the call may go on with its work; each has a time of its own.
    """
    if most_usd is None:
        return ""
    each = " for each of the call's jobs" if may_be_followed and limits.max_cost is None else ""
    return f", at most {render_usd(most_usd)}{each}"


def describe_limit(asked_s: int, allowed_s: int, limits: Limits) -> str:
    """What is said of a limit that shortens a job's time; empty where none does."""
    if limits.max_cost is None or allowed_s >= asked_s:
        return ""
    return (
        f"max_cost {render_usd(limits.max_cost)}: SageMaker stops the job after {allowed_s:,} s "
        f"(MaxRuntimeInSeconds; max_runtime_in_seconds is {asked_s:,} s); earlier jobs of the call are "
        "those of this machine's ledger"
    )
