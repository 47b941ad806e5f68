"""Where the watcher sees which jobs have ended: a list that is held until something changes, and one that is swept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Protocol

from sm_remote.aws.responses import TrainingJobSummary
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.jobs.watching.sweep import Sweep

HOLD_S = 20.0
CROWD = 4
"""With more jobs than this, changes are looked at in batches..."""
CROWD_PAUSE_S = 0.1
"""...at most ten times a second."""


class JobList(Protocol):
    """One look after the other, from the watcher's thread."""

    is_asked_again_and_again: bool
    """Whether a look waits for nothing, so that other calls may stand between two."""

    def look(self, names: set[str], oldest: datetime) -> Mapping[str, TrainingJobSummary | None]:
        """Those of some jobs that have ended, or that cannot be seen any more, each with its row where there is one.

        Args:
            names: The jobs.
            oldest: When the oldest of them was created.
        """

    def find_pause_s(self, count: int) -> float:
        """How long to wait before the next look, with so many jobs."""

    def note_newcomer(self) -> None:
        """A job has come, perhaps while a look is under way; called from any thread."""


class HeldList:
    """The local service's list, held until any job changes."""

    is_asked_again_and_again = False

    def __init__(self, api: TrainingJobs) -> None:
        self._api = api
        self._seen = 0
        self._newcomers = 0

    def note_newcomer(self) -> None:
        """See the protocol."""
        self._newcomers += 1

    def find_pause_s(self, count: int) -> float:
        """See the protocol."""
        return CROWD_PAUSE_S if count > CROWD else 0.0

    def look(self, names: set[str], oldest: datetime) -> Mapping[str, TrainingJobSummary | None]:
        """See the protocol."""
        newcomers = self._newcomers
        try:
            live, self._seen = self._read(names, oldest, self._seen)
        except Exception:
            self._seen = 0
            raise
        if self._newcomers != newcomers:
            self._seen = 0  # a job that came while we looked may have ended in the change that woke us: look again
        return dict.fromkeys(names - live)

    def _read(self, names: set[str], oldest: datetime, seen: int) -> tuple[set[str], int]:
        """All pages: (the jobs that live, the change counter)."""
        live: set[str] = set()
        ended = 0
        page: str | None = None
        counter = seen
        while True:
            first = page is None
            rows, page, version = self._api.list_page(
                created_after=oldest - timedelta(seconds=2),
                page=page,
                wait_s=HOLD_S if first and seen else 0.0,
                seen=seen,
            )
            # The first page's counter is the one to wait on: what changes while paging must wake us again.
            counter = version if first else counter
            for row in rows:
                if row.name in names and row.status.is_terminal:
                    ended += 1
                elif row.name in names:
                    live.add(row.name)
            if page is None or ended + len(live) == len(names):
                return live, counter


class SweptList:
    """SageMaker's list, a page a look; how often requests are sent is decided where they are (`aws.pacing`).

    Args:
        api: The API.
        clock: Seconds that only grow.
        now: The time of this machine.
    """

    is_asked_again_and_again = True

    def __init__(
        self,
        api: TrainingJobs,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._api = api
        self._clock, self._now = clock, now
        self._sweep = Sweep(clock())

    def note_newcomer(self) -> None:
        """See the protocol: what it does next is in the next recent look."""

    def find_pause_s(self, count: int) -> float:
        """See the protocol."""
        return self._sweep.find_pause_s(self._clock())

    def look(self, names: set[str], oldest: datetime) -> Mapping[str, TrainingJobSummary | None]:
        """See the protocol."""
        moment = self._api.sightings.moment
        request = self._sweep.choose(names, oldest, self._clock(), moment=moment, own_moment=self._now())
        if request is None:
            return {}
        rows, page, _ = self._api.list_page(**request.to_members())
        found = self._sweep.take(request, rows, page, names, self._clock())
        if request.is_recent and found.is_complete:
            self._api.sightings.note_look(request.created_after)
        return {**found.ended, **dict.fromkeys(found.missing)}
