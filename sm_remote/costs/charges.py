"""What the jobs of one call may cost, and have cost: asked before each is created, told when each has ended.

A call has one job, or several where one goes on with another's work or tries again: its limit is for all of them, and
travels with them, so it holds also where another process goes on. All of it is read from requests and written to them.
Trouble with the ledger costs nobody a job, unless a limit is set that could not be held without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.costs.demand import Demand, read_demand
from sm_remote.costs.entry import SAGEMAKER, Entry, settle, void
from sm_remote.costs.estimate import Estimate, choose_runs
from sm_remote.costs.ledger import Held, Ledger, find_day_began
from sm_remote.costs.limit import (
    Limits,
    Mark,
    check_day,
    check_estimate,
    describe_limit,
    describe_most,
    find_most_usd,
    find_runtime,
    limit_request,
    read_mark,
)
from sm_remote.costs.price import Rate, render_usd
from sm_remote.costs.price_book import choose_region, read_price_book
from sm_remote.errors import StorageError
from sm_remote.home import Home
from sm_remote.wire.layout import RUN_VARIABLE, SUCCESSION_VARIABLE

logger = logging.getLogger("sm_remote")

FUNCTION_TAG = "sm_remote:function"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What a request asks for, and what its call may cost."""

    name: str
    call: str
    function: str
    is_spot: bool
    demand: Demand
    limits: Limits
    may_be_followed: bool


@dataclass(kw_only=True, slots=True)
class Charges:
    """The charges of one call.

    Attributes:
        home: This user's state.
        target: ``local`` or ``sagemaker``.
        region: Where its jobs run; None on this machine where none is set.
        function: The function's name.
        code: A digest over the function and its sources; empty where it is not known.
        limits: What a person allows.
        has_price: Whether its machines are an instance type; not where it has the whole of this machine.
        find_prices: Asks AWS for the region's prices, within seconds, where a limit needs one that is not known and AWS
            was not asked that day.
        find_account: Tells the AWS account whose jobs they are; not asked on this machine.
        now: This moment, in UTC.
        said: What was decided about the job that was created last, for whoever looks.
    """

    home: Home
    target: str
    region: str | None
    function: str = ""
    code: str = ""
    limits: Limits = field(default_factory=Limits)
    has_price: bool = True
    find_prices: Callable[[], Any] | None = None
    find_account: Callable[[], str | None] = lambda: None
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    said: tuple[str, ...] = ()

    def reserve(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Enters a job that is about to be created, and gives it no more time than may be paid for.

        Args:
            request: As CreateTrainingJob is to have it.

        Returns:
            The same, or with a lower MaxRuntimeInSeconds.

        Raises:
            MaxCostExceeded: It may cost too much, or nobody knows what it costs; nothing was entered.
            StorageError: A limit is set, and the ledger cannot be used.
        """
        asked = self._read_asked(request)
        rate = self._find_rate(asked)
        try:
            estimate = self._estimate(asked, rate)
            allowed = self._enter(asked, estimate)
        except StorageError as error:
            if self._is_limited(asked):
                raise
            logger.warning("What %s costs is not kept: %s", asked.name, error)
            return request
        self.said = tuple(line for line in self._describe(asked, allowed, estimate) if line)
        for line in self.said:
            logger.info("%s: %s", asked.name, line)
        if not self._is_limited(asked):
            return request
        return limit_request(request, allowed.runtime_s, Mark(limits=asked.limits, runtime_s=asked.demand.runtime_s))

    def _read_asked(self, request: Mapping[str, Any]) -> _Asked:
        """What goes on with another's work has that one's limits, and was to run for as long."""
        environment = request.get("Environment") or {}
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
        mark = read_mark(environment) if RUN_VARIABLE in environment else None
        demand = read_demand(request)
        return _Asked(
            name=request["TrainingJobName"],
            call=environment.get(RUN_VARIABLE) or request["TrainingJobName"],
            function=self.function or tags.get(FUNCTION_TAG, ""),
            is_spot=bool(request.get("EnableManagedSpotTraining")),
            demand=demand if mark is None else replace(demand, runtime_s=mark.runtime_s),
            limits=self.limits if mark is None or self.limits.are_set else mark.limits,
            may_be_followed=SUCCESSION_VARIABLE in environment,
        )

    def withdraw(self, name: str) -> None:
        """Takes back the entry of a job that the API refused to create."""
        self._change(name, lambda entry: void(entry, self.now().timestamp()))

    def settle(self, description: TrainingJobDescription) -> None:
        """Enters what an ended job has cost."""
        self._change(description.name, lambda entry: settle(entry, description))

    @property
    def _is_charged(self) -> bool:
        return self.target == SAGEMAKER

    def _is_limited(self, asked: _Asked) -> bool:
        return self._is_charged and asked.limits.are_set

    def _change(self, name: str, alter: Callable[[Entry], Entry]) -> None:
        try:
            Ledger(self.home).change(name, self.target, alter)
        except StorageError as error:
            logger.warning("What %s has cost is not kept: %s", name, error)

    def _find_rate(self, asked: _Asked) -> Rate:
        region = choose_region(self.region)
        if not self.has_price:
            return Rate(machines="the whole of this machine", region=region, usd_per_hour=None, missing=("it",))
        book = read_price_book(self.home, region)
        rate = book.rate(asked.demand)
        if rate.missing and self._is_limited(asked) and self.find_prices is not None and book.is_due(self.now()):
            self.find_prices()
            rate = read_price_book(self.home, region).rate(asked.demand)
        return rate

    def _estimate(self, asked: _Asked, rate: Rate) -> Estimate:
        runs = Ledger(self.home).list_runs(asked.function, self.target, rate.machines) if self._is_charged else []
        return Estimate(rate=rate, history=choose_runs(runs, asked.function, rate.machines, self.code))

    def _enter(self, asked: _Asked, estimate: Estimate) -> Demand:
        """What the job may have of what it asks for, once that is entered."""
        rate, now = estimate.rate, self.now()
        allowed = [asked.demand]

        def allow(entry: Entry, held: Held) -> Entry:
            if not self._is_charged:
                return entry
            if not held.call:  # what goes on with earlier work has less before it than the runs of the past
                check_estimate(estimate, asked.limits)
            runtime_s = find_runtime(asked.demand, rate, asked.limits, held.call)
            allowed[0] = replace(asked.demand, runtime_s=runtime_s)
            check_day(allowed[0], rate, asked.limits, held.day)
            code = entry.code or next((other.code for other in held.call), "")
            return replace(entry, code=code, limit_usd=find_most_usd(allowed[0], rate))

        Ledger(self.home).reserve(self._build_entry(asked, rate, now), find_day_began(now), allow)
        return allowed[0]

    def _build_entry(self, asked: _Asked, rate: Rate, now: datetime) -> Entry:
        return Entry(
            name=asked.name,
            target=self.target,
            region=rate.region,
            call=asked.call,
            function=asked.function,
            code=self.code,
            machines=rate.machines,
            instances=asked.demand.instances,
            is_spot=asked.is_spot,
            usd_per_hour=rate.usd_per_hour,
            price_origin=rate.origin,
            limit_usd=find_most_usd(asked.demand, rate),
            opened_at=now.timestamp(),
            account=(self.find_account() or "") if self._is_charged else "",
        )

    def _describe(self, asked: _Asked, allowed: Demand, estimate: Estimate) -> tuple[str, ...]:
        if not self._is_charged:
            return (f"no charge on this machine: {_name_limits(self.limits)}",) if self.limits.are_set else ()
        most = describe_most(find_most_usd(allowed, estimate.rate), asked.limits, may_be_followed=asked.may_be_followed)
        price = f"{most}; {estimate.rate.describe()}" if most else ""
        limit = describe_limit(asked.demand.runtime_s, allowed.runtime_s, asked.limits)
        return (f"cost: {estimate.describe()}{price}", limit)


def _name_limits(limits: Limits) -> str:
    given = {"max_cost": limits.max_cost, "max_cost_per_day": limits.max_cost_per_day}
    named = [f"{name} {render_usd(amount)}" for name, amount in given.items() if amount is not None]
    return f"{' and '.join(named)} {'limits' if len(named) == 1 else 'limit'} jobs on SageMaker alone"
