"""What is done beside a call on SageMaker, in the background and within bounds.

Prices are asked for once a day, and entries are settled whose jobs nobody has watched to their end.

None of it holds up a job, and what goes wrong in it is no concern of the call's.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.costs.entry import Entry, settle, void
from sm_remote.costs.ledger import Ledger
from sm_remote.costs.price_book import REFRESH_AFTER, read_price_book, refresh
from sm_remote.errors import JobNotFound, RemoteError
from sm_remote.home import Home

logger = logging.getLogger("sm_remote")

MOST_AT_ONCE = 50
"""How many open entries one call looks at; the next goes on."""
NEVER_CREATED_AFTER_S = 900.0
"""A job that nobody knows so long after its entry was written was never created."""
WATCHED_FOR_S = 600.0
"""Beside a call, younger entries are left to those who watch their jobs."""


class Describes(Protocol):
    """`aws.training_jobs.TrainingJobs`, as far as entries need it; two of its implementations are tests' own."""

    def describe(self, name: str) -> TrainingJobDescription:
        """The job.

        Raises:
            JobNotFound: There is none.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """What came of it.

    Attributes:
        settled: How many entries were settled.
        unsettled: How many remain: their jobs live, or cannot be seen.
        trouble: Why the API could not be asked, if it could not.
    """

    settled: int = 0
    unsettled: int = 0
    trouble: str = ""


def settle_open(
    home: Home,
    target: str,
    api: Describes,
    *,
    now: datetime,
    younger_too: bool = True,
    region: str | None = None,
    account: str | None = None,
) -> Upkeep:
    """Settles the oldest open entries of a target.

    Args:
        home: This user's state.
        target: ``local`` or ``sagemaker``.
        api: Of that target.
        now: This moment.
        younger_too: Whether jobs are looked at that somebody probably watches.
        region: The one that the API is of; entries of others are left alone. None on this machine.
        account: Likewise: it does not know another one's jobs, and would have them never created.
    """
    ledger = Ledger(home)
    settled = unsettled = 0
    opened_before = math.inf if younger_too else now.timestamp() - WATCHED_FOR_S
    for entry in ledger.list_unsettled(
        MOST_AT_ONCE, target=target, region=region, account=account, opened_before=opened_before
    ):
        try:
            changed = _settle_one(ledger, entry, api, now.timestamp())
        except RemoteError as error:  # the API does not answer: the others would not be told either
            return Upkeep(settled=settled, unsettled=unsettled + 1, trouble=error.what)
        settled, unsettled = (settled + 1, unsettled) if changed else (settled, unsettled + 1)
    return Upkeep(settled=settled, unsettled=unsettled)


def _settle_one(ledger: Ledger, entry: Entry, api: Describes, now: float) -> bool:
    try:
        description = api.describe(entry.name)
    except JobNotFound:
        if now - entry.opened_at < NEVER_CREATED_AFTER_S:
            return False  # its request may be on its way
        ledger.change(entry.name, entry.target, lambda found: void(found, now))
        return True
    settled = ledger.change(entry.name, entry.target, lambda found: settle(found, description))
    return settled is not None and settled.state not in ("open", "pool")


class Background:
    """One thread for each home and region, once a day."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[tuple[Home, str], datetime] = {}

    def begin(
        self,
        home: Home,
        region: str,
        api: Describes,
        make_client: Callable[[], Any],
        *,
        find_account: Callable[[], str | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> threading.Thread | None:
        """Starts what is due, once; returns the thread, or None where there is nothing to do."""
        with self._lock:
            before = self._begun.get((home, region))
            if before is not None and now() - before < REFRESH_AFTER:
                return None
            self._begun[home, region] = now()

        def work() -> None:
            try:
                if read_price_book(home, region).is_due(now()):
                    refresh(home, region, make_client(), now=now())
            except Exception as error:  # noqa: BLE001 - beside a call, which must not be concerned
                logger.info("The prices of %s were not refreshed: %s", region, error)
            try:
                settle_open(home, "sagemaker", api, now=now(), younger_too=False, region=region, account=find_account())
            except Exception as error:  # noqa: BLE001
                logger.info("Open entries of the ledger were not settled: %s", error)

        thread = threading.Thread(target=work, name="sm_remote-costs", daemon=True)
        thread.start()
        return thread


BACKGROUND = Background()
