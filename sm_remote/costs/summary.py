"""Entries of the ledger, added up: by function, day, instance type or call. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from sm_remote.costs.entry import Entry, EntryState


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What some jobs have cost together.

    Attributes:
        key: What they have in common.
        calls: How many calls they belong to.
        jobs: How many there are: a call has several where one went on with another's work, or tried again.
        billed_s: Billable seconds times machines, as the SageMaker SDK prints them.
        trained_s: Seconds of training times machines; with spot capacity more than is billed.
        pool_s: Seconds of their warm pools times machines.
        saved_usd: What spot capacity has saved.
        cost_usd: What those cost whose price is known, without what still runs.
        unpriced: How many have no known price.
        live: How many are not settled: they run, or their warm pool does.
        reserved_usd: The most that those may cost.
    """

    key: str
    calls: int
    jobs: int
    billed_s: float
    trained_s: float
    pool_s: float
    saved_usd: float
    cost_usd: float
    unpriced: int
    live: int
    reserved_usd: float


def find_day(entry: Entry) -> str:
    """The day of UTC on which a job ended; of a live one, on which it was created."""
    moment = entry.opened_at if entry.ended_at is None else entry.ended_at
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d}"


GROUPINGS: dict[str, Callable[[Entry], str]] = {
    "function": lambda entry: entry.function or "(no function)",
    "day": find_day,
    "instance-type": lambda entry: entry.machines,
    "call": lambda entry: entry.call,
}


def add_up(entries: Iterable[Entry], key: str) -> Line:
    """One line for all of them."""
    found = list(entries)
    live = [entry for entry in found if entry.state in (EntryState.OPEN, EntryState.POOL)]
    return Line(
        key=key,
        calls=len({(entry.target, entry.region, entry.call) for entry in found}),
        jobs=len(found),
        billed_s=sum((entry.billable_s or 0.0) * entry.instances for entry in found),
        trained_s=sum((entry.training_s or 0.0) * entry.instances for entry in found),
        pool_s=sum((entry.pool_s or 0.0) * entry.instances for entry in found),
        saved_usd=sum(entry.saved_usd or 0.0 for entry in found),
        cost_usd=sum(entry.cost_usd or 0.0 for entry in found),
        unpriced=sum(entry.usd_per_hour is None for entry in found),
        live=len(live),
        reserved_usd=sum(entry.limit_usd or 0.0 for entry in live),
    )


def group(entries: Sequence[Entry], by: str) -> list[Line]:
    """One line for each group: days in their order, all else the dearest first.

    Args:
        entries: Of the ledger.
        by: One of `GROUPINGS`.
    """
    find = GROUPINGS[by]
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(find(entry), []).append(entry)
    lines = [add_up(found, key) for key, found in groups.items()]
    if by == "day":
        return sorted(lines, key=lambda line: line.key)
    return sorted(lines, key=lambda line: (-line.cost_usd, -line.billed_s, line.key))
