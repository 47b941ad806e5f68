"""Which page of ListTrainingJobs to ask for next, so that few tell all. Pure: time is passed in.

SageMaker cannot be asked for certain jobs, nor for changes in their order; but it lists only what was modified after a
moment. So a *recent* look asks for what has changed since the last one, with a margin, because lists lag behind; with
those first that have completed or failed, where there are several pages. Between recent looks, every minute, a *whole*
look goes through all jobs since the oldest that is watched, a page at a time, for what no recent look has shown: a job
that was deleted, or a change that came into the list late.

A recent look, too, ends at the oldest job that is watched: of an account's earlier jobs it may be answered with one
empty page after the other. Source: aws/aws-cli, issue 7596.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sm_remote.aws.responses import TrainingJobSummary

LOOK_S = 1.1
"""Between two recent looks."""
WHOLE_S = 60.0
"""Between two whole ones."""
MOST_PAGES = 10
"""Of recent looks, before one of a whole look that is due."""
MARGIN_S = 10.0
"""How late a change may come into a list and still be seen at once."""
SKEW_S = 300.0
"""How wrong this machine's clock may be. Source: SigV4, which refuses requests beyond it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListRequest:
    """One page to ask for.

    Attributes:
        is_recent: Of which look it is.
        created_after: Jobs that are older are not looked at.
        modified_after: Of a recent one.
        page: The token of the page before; None for the first.
    """

    is_recent: bool
    created_after: datetime
    modified_after: datetime | None = None
    page: str | None = None

    def to_members(self) -> dict[str, Any]:
        """As `TrainingJobs.list_page` takes it."""
        return {
            "modified_after": self.modified_after,
            "created_after": self.created_after,
            "page": self.page,
            "ended_first": self.is_recent,
        }


@dataclass(kw_only=True, slots=True)
class Found:
    """What a page has shown.

    Attributes:
        ended: Jobs that have ended, by name.
        missing: After the last page of a whole look: jobs that none of its pages had.
        is_complete: Whether it was the last page of its look.
    """

    ended: dict[str, TrainingJobSummary] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    is_complete: bool = False


@dataclass(kw_only=True, slots=True)
class _Look:
    """A look that is under way, or the next one."""

    due_at: float
    request: ListRequest | None = None
    names: frozenset[str] = frozenset()
    seen: set[str] = field(default_factory=set)


class Sweep:
    """Goes over the list again and again.

    Args:
        now_s: Seconds that only grow.
    """

    def __init__(self, now_s: float) -> None:
        self._recent = _Look(due_at=now_s)
        self._whole = _Look(due_at=now_s + WHOLE_S)
        self._covered: datetime | None = None
        self._begun_at: datetime | None = None
        self._recent_pages = 0

    def choose(
        self,
        names: Collection[str],
        oldest: datetime,
        now_s: float,
        *,
        moment: datetime | None,
        own_moment: datetime,
    ) -> ListRequest | None:
        """The page to ask for now; None where there is none yet.

        Args:
            names: The jobs that are watched.
            oldest: When the oldest of them was created.
            now_s: Seconds that only grow.
            moment: The time of SageMaker, or a little earlier; None where it has not answered yet.
            own_moment: The time of this machine.
        """
        created_after = oldest - timedelta(seconds=2)
        recent_waits = self._recent.request is not None or now_s >= self._recent.due_at
        whole_waits = self._whole.request is not None or now_s >= self._whole.due_at
        if whole_waits and self._recent_pages >= self._find_turn():
            if self._whole.request is None:
                self._whole.names, self._whole.seen = frozenset(names), set()
                self._whole.request = ListRequest(is_recent=False, created_after=created_after)
            self._recent_pages = 0
            return self._whole.request
        if not recent_waits:
            return None
        self._recent_pages += 1
        if self._recent.request is None:
            self._recent.due_at = now_s + LOOK_S
            since = self._covered or own_moment - timedelta(seconds=SKEW_S)
            self._begun_at = moment
            self._recent.request = ListRequest(
                is_recent=True, created_after=created_after, modified_after=since - timedelta(seconds=MARGIN_S)
            )
        return self._recent.request

    def _find_turn(self) -> int:
        """After how many pages of recent looks it is the whole one's turn: many jobs that end at once go before."""
        return 1 if self._recent.request is None else MOST_PAGES

    def take(
        self,
        request: ListRequest,
        rows: Sequence[TrainingJobSummary],
        page: str | None,
        names: Collection[str],
        now_s: float,
    ) -> Found:
        """Takes up what a page has shown.

        Args:
            request: As `choose` gave it.
            rows: Of the page.
            page: The token of the next one; None after the last.
            names: The jobs that are watched.
            now_s: Seconds that only grow.
        """
        look = self._recent if request.is_recent else self._whole
        look.request = None if page is None else replace(request, page=page)
        found = Found(
            ended={row.name: row for row in rows if row.name in names and row.status.is_terminal},
            is_complete=page is None,
        )
        if request.is_recent:
            if page is None:  # until then a later page may hold what is older
                self._covered = self._begun_at or self._covered
        else:
            look.seen.update(row.name for row in rows)
            if page is None:
                found.missing = set(look.names).intersection(names) - look.seen
                look.due_at = now_s + WHOLE_S
        return found

    def find_pause_s(self, now_s: float) -> float:
        """How long there is nothing to ask for."""
        is_whole_s_turn = self._recent_pages >= self._find_turn()
        if self._recent.request is not None or (is_whole_s_turn and self._whole.request is not None):
            return 0.0
        due_at = min(self._recent.due_at, self._whole.due_at) if is_whole_s_turn else self._recent.due_at
        return max(0.0, due_at - now_s)
