"""The ceiling of a verification on AWS: no job starts whose worst case does not fit into what is left of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "SM_REMOTE_TEST_AWS_MAX_USD"
"""Must be set: a number of US dollars."""


class OverCeiling(Exception):
    """A job would not fit any more."""


class Budget:
    """What may be spent, and what is.

    A job counts with its worst case, its instances' list price for as long as it may run, until it has ended; then with
    what was billed. Storage, requests and logs are not counted: a run makes some megabytes of them.

    Args:
        max_usd: The ceiling.
    """

    def __init__(self, max_usd: float) -> None:
        self.max_usd = max_usd
        self._usd: dict[str, float] = {}

    @property
    def spent_usd(self) -> float:
        """What jobs have cost, and what those that run may still cost."""
        return sum(self._usd.values())

    def reserve(self, name: str, worst_usd: float | None) -> None:
        """Counts a job that is about to start.

        Raises:
            OverCeiling: It may cost more than is left, or nobody knows what it costs.
        """
        if worst_usd is None:
            raise OverCeiling(f"{name}: the price of its instance type is not known, so no ceiling could hold.")
        if self.spent_usd + worst_usd > self.max_usd:
            raise OverCeiling(
                f"{name} may cost ${worst_usd:.3f}; of ${self.max_usd:.2f} ({VARIABLE}) ${self.spent_usd:.3f} is spent "
                "or reserved."
            )
        self._usd[name] = worst_usd

    def settle(self, name: str, usd: float) -> None:
        """Counts a job that has ended with what it has cost."""
        self._usd[name] = usd


def read_ceiling(environ: Mapping[str, str]) -> float | None:
    """The ceiling that was set; None where there is none.

    Raises:
        ValueError: It is no amount.
    """
    text = environ.get(VARIABLE, "").strip()
    if not text:
        return None
    amount = float(text)
    if not 0 < amount < float("inf"):
        raise ValueError(f"{VARIABLE}={text} is no amount that can be spent")
    return amount
