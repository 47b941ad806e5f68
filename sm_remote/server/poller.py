"""Keeps the list of jobs of one target up to date, for all browser tabs at once, while anybody looks.

Looking is a lease: each request for the list prolongs it. Without one the thread ends, and nothing is asked of AWS. The
local service holds a request until something changes; SageMaker is asked again, for what has changed, after a pause
that grows while nothing happens, and within the quotas that all processes of this machine share
(`sm_remote.aws.pacing`).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from itertools import islice

from sm_remote.aws.responses import TrainingJobSummary
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import JobNotFound, RemoteError, Throttled
from sm_remote.jobs.watching.sweep import MARGIN_S
from sm_remote.server.problems import explain
from sm_remote.server.rows import JobRow, build_row, detail_row, update_row
from sm_remote.server.table import JobTable

logger = logging.getLogger("sm_remote.server")

LEASE_S = 75.0
"""How long one request keeps the poller going; the panel asks at least every half minute while its tab is visible."""
HOLD_S = 10.0
SHORTEST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 30.0
MOST_JOBS = 2000
BATCH = 100
"""Jobs that are described before the list is looked at again, locally..."""
REMOTE_BATCH = 10
"""...and on SageMaker, whose API is shared by the whole account and throttled."""


class Poller:
    """One thread at most, and none while nobody looks.

    Args:
        target: ``"local"`` or ``"sagemaker"``.
        connect: The API, or None where there is nothing to ask at present (no local service runs, and nobody has the
            panel open); called in the thread.
        announce: Told of each change, with its number.
        clock: Monotonic, for leases.
        now: Of the world, in seconds since 1970.
    """

    def __init__(
        self,
        target: str,
        connect: Callable[[bool], TrainingJobs | None],
        announce: Callable[[str, int], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.target = target
        self.table = JobTable()
        self._connect = connect
        self._announce = announce
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._leased_until = self._panel_until = -1.0
        self._wants_all = True
        self._seen = 0
        self._modified: dict[str, datetime] = {}
        self._described: dict[str, datetime | None] = {}
        self._newest: datetime | None = None

    def look(self, *, panel: bool, refresh: bool = False) -> None:
        """Somebody looks: at the open panel, or only at the status bar."""
        with self._lock:
            until = self._clock() + LEASE_S
            wake = refresh or (panel and self._panel_until < self._clock())
            self._leased_until = until
            if panel:
                self._panel_until = until
            self._wants_all = self._wants_all or refresh
            if self._thread is None:
                self._wants_all = True
                self._thread = threading.Thread(target=self._run, name=f"sm_remote-panel-{self.target}", daemon=True)
                self._thread.start()
        if wake:
            self._woken.set()

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None

    def _run(self) -> None:
        pause_s = SHORTEST_PAUSE_S
        while True:
            with self._lock:
                if self._clock() > self._leased_until:
                    self._thread = None
                    return
                panel = self._clock() <= self._panel_until
            changed, holds = self._look_once(panel)
            if changed:
                pause_s = SHORTEST_PAUSE_S
                self._announce(self.target, self.table.seq)
            else:
                pause_s = min(LONGEST_PAUSE_S, pause_s * 1.5)
            self._woken.wait(0.2 if holds else pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            self._woken.clear()

    def _look_once(self, panel: bool) -> tuple[bool, bool]:
        """One look: (whether the panel has news, whether the API holds requests)."""
        before = self.table.seq
        try:
            api = self._connect(panel)
            if api is None:
                return self.table.note(as_of_ms=int(self._now() * 1000)), False
            changed = self._update(api)
            changed = self.table.note(as_of_ms=int(self._now() * 1000)) or changed
        except Throttled:
            # The account's other programs need their turn: what is shown stays as it is, as far as this look has come.
            return self.table.seq != before, False
        except RemoteError as error:
            logger.debug("The jobs of %s cannot be seen.", self.target, exc_info=True)
            self._seen = 0
            return self.table.note(problem=explain(error)), False
        except Exception as error:
            logger.warning("The jobs of %s cannot be seen.", self.target, exc_info=True)
            return self.table.note(problem=explain(error)), False
        return changed, api.session.holds_requests

    def _update(self, api: TrainingJobs) -> bool:
        with self._lock:
            whole, self._wants_all = self._wants_all, False
        try:
            changed = self._list(api, whole=whole)
        except RemoteError:
            with self._lock:
                self._wants_all = self._wants_all or whole
            raise
        return self._describe(api) or changed

    def _list(self, api: TrainingJobs, *, whole: bool) -> bool:
        """Takes up all jobs, or what has changed; whether the panel has news."""
        changed = False
        if whole:
            if api.session.holds_requests:
                _, _, self._seen = api.list_page(size=1)  # its counter first: what changes meanwhile is seen next time
            found = list(islice(api.list_all(), MOST_JOBS))
            changed = self.table.keep_only(row.name for row in found)
            self._modified = {}
            self._described = {row.name: self._described.get(row.name) for row in found}
        elif api.session.holds_requests or self._newest is None:
            waits = api.session.holds_requests and not self._find_undetailed()
            found, _, self._seen = api.list_page(wait_s=HOLD_S if waits else 0.0, seen=self._seen)
        else:
            found = self._list_changes(api, self._newest - timedelta(seconds=MARGIN_S))
        self._modified.update({row.name: row.modified_time for row in found if row.modified_time is not None})
        self._newest = max(self._modified.values(), default=None)
        return self.table.put(self._merge(found)) or changed

    def _list_changes(self, api: TrainingJobs, since: datetime) -> list[TrainingJobSummary]:
        """What was modified since a moment, all of it: a page left out would never be asked for again."""
        found: list[TrainingJobSummary] = []
        page: str | None = None
        # Of an account's earlier jobs there may be one empty page after the other. Source: aws/aws-cli, issue 7596.
        live_ms = [row.created_ms for row in self.table.rows() if not row.is_terminal]
        oldest = min([since, *(datetime.fromtimestamp(created / 1000 - 1, timezone.utc) for created in live_ms)])
        while True:
            rows, page, _ = api.list_page(created_after=oldest, modified_after=since, ended_first=True, page=page)
            found += rows
            if page is None:
                return found
            if len(found) >= MOST_JOBS:
                self._wants_all = True  # which ends where the panel's own list does
                return found

    def _merge(self, found: Iterable[TrainingJobSummary]) -> list[JobRow]:
        rows = []
        for summary in found:
            known = self.table.find(summary.name)
            rows.append(build_row(summary, self.target) if known is None else update_row(known, summary))
        return rows

    def _find_undetailed(self) -> list[JobRow]:
        return [row for row in self.table.rows() if not row.detailed]

    def _describe(self, api: TrainingJobs) -> bool:
        """Asks for what a list does not tell: of every live job, and of some of those that ended, newest first."""
        rows = self.table.rows()
        batch = BATCH if api.session.holds_requests else REMOTE_BATCH
        live = [row for row in rows if not row.is_terminal and self._may_have_changed(row)]
        ended = [row for row in rows if row.is_terminal and not row.detailed]
        changed = False
        for row in [*live[:batch], *ended[:batch]]:
            try:
                modified = self._modified.get(row.name)
                description = api.describe(row.name)
                tags = self._read_tags(api, row, description.arn)
            except JobNotFound:
                self._wants_all = True
                continue
            changed = self.table.put([detail_row(description, tags, self.target)]) or changed
            self._described[row.name] = modified
        return changed

    def _may_have_changed(self, row: JobRow) -> bool:
        """Whether a live job may differ from what was described: a list that gives no moments leaves that open."""
        modified = self._modified.get(row.name)
        return modified is None or not row.detailed or self._described.get(row.name) != modified

    def _read_tags(self, api: TrainingJobs, row: JobRow, arn: str) -> dict[str, str]:
        """A job's tags, which do not change: asked for once."""
        if row.ours is None:
            return api.list_tags(arn)
        known = {"notebook": row.notebook, "cell": row.cell, "function": row.function}
        return {f"sm_remote:{name}": value for name, value in known.items() if value}
