"""What a call is going to cost, as far as its function's own history and the price tell. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sm_remote.costs.entry import Entry
from sm_remote.costs.price import UNKNOWN, Rate, render_usd

_NAMELESS = frozenset({"", "cell", "lambda"})
"""What has such a name has no other one: its earlier runs are those of the very same code alone."""
MOST_RUNS = 20
"""The newest runs say more than those of a year ago."""


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """How long a function's job was billed, of one machine each.

    Attributes:
        function: The function's name.
        machines: What its jobs ran on.
        is_same_code: Whether the code of all of them is the one that is to run; else it was edited since.
        billed_s: Seconds, the newest first.
    """

    function: str
    machines: str
    is_same_code: bool
    billed_s: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a call is going to cost.

    Attributes:
        rate: What an hour of it costs.
        history: The runs that it is told from.
    """

    rate: Rate
    history: History

    @property
    def median_usd(self) -> float | None:
        """What half of the runs have stayed below; None where a price or a run is missing."""
        return self.rate.cost_usd(statistics.median(self.history.billed_s)) if self.history.billed_s else None

    @property
    def least_usd(self) -> float | None:
        """What the shortest run has cost; None where a price or a run is missing."""
        return self.rate.cost_usd(min(self.history.billed_s)) if self.history.billed_s else None

    @property
    def most_usd(self) -> float | None:
        """What the longest run has cost; None where a price or a run is missing."""
        return self.rate.cost_usd(max(self.history.billed_s)) if self.history.billed_s else None

    def describe(self) -> str:
        """``about $0.42 ($0.31 to $0.60 in 5 runs of train)``, or why it is unknown."""
        runs = len(self.history.billed_s)
        name = "this code" if self.history.function in _NAMELESS else self.history.function
        if self.rate.usd_per_hour is None:
            return f"estimate {UNKNOWN}: {self.rate.describe()}"
        if not runs:
            return f"estimate {UNKNOWN} (no run of {name} on {self.history.machines} has completed from here)"
        version = "" if self.history.is_same_code else ", of earlier code"
        count = f"1 run of {name}" if runs == 1 else f"{runs} runs of {name}"
        spread = "" if runs == 1 else f"{render_usd(self.least_usd)} to {render_usd(self.most_usd)} "
        return f"about {render_usd(self.median_usd)} ({spread}in {count}{version})"


def choose_runs(entries: Sequence[Entry], function: str, machines: str, code: str) -> History:
    """Those runs that tell most: of the very same code, and only where there are none of another state of it.

    Args:
        entries: Completed jobs of the function on such machines, the newest first.
        function: The function's name.
        machines: What they ran on.
        code: The digest of what is to run; empty where it is not known.
    """
    same = [entry for entry in entries if code and entry.code == code]
    chosen = same or ([] if function in _NAMELESS else entries)
    # With spot capacity the time at a discount is less than what it took.
    billed = [entry.training_s if entry.is_spot else entry.billable_s for entry in chosen]
    known = tuple(seconds for seconds in billed if seconds is not None)[:MOST_RUNS]
    return History(function=function, machines=machines, is_same_code=bool(same), billed_s=known)
