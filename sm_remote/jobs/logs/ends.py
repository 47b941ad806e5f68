"""The ends of the logs of jobs that have ended, where each says by a line of its own what its outcome is.

For one job its log is read. Where many ask at once, CloudWatch's quotas would have them wait for minutes: then all
jobs' logs are searched for such lines by one request, and a log is read only where that has not found the job's. Which
line is believed is decided where it is used: it names the job's manifest (`wire.marker`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import CredentialsExpired, RemoteError, SubmitError
from sm_remote.jobs.logs.host_log import find_host
from sm_remote.jobs.logs.job_log import read_tail
from sm_remote.jobs.outcome.results import TAIL_LINES, find_marker
from sm_remote.spec import TrainingJobStatus
from sm_remote.wire.launch import read_manifest_digest
from sm_remote.wire.marker import MARKER_PREFIX

logger = logging.getLogger("sm_remote")

CROWD = 4
"""When more than so many ask at once, all logs are searched..."""
SEARCHES = 5
"""...so often for each job, until its own log is read."""
RECENT = timedelta(minutes=5)
"""How long ago a job may have ended to be searched for; a search of more would find little in much."""
BEFORE_END = timedelta(minutes=1)
"""How long before a job's end its last line may be: what it has left is uploaded in between."""
MOST_PAGES = 20
LATE_S = {TrainingJobStatus.COMPLETED: 60.0, TrainingJobStatus.FAILED: 6.0}
"""How long after a job's end CloudWatch may still get its last line; one that failed may never have written it."""
POLL_S = 1.0
_KEPT = 5000


class LogEnds:
    """Reads the ends of logs, for any number of threads.

    Args:
        api: The API.
        sleep: For tests.
        now: For tests.
    """

    def __init__(
        self,
        api: TrainingJobs,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._api = api
        self._sleep, self._now = sleep, now
        self._lock = threading.Lock()
        self._search = threading.Lock()
        self._searches = 0
        self._may_search = True
        self._asking: dict[object, datetime] = {}
        self._found: dict[str, str] = {}

    def read(self, end: TrainingJobDescription) -> list[str]:
        """The newest lines of an ended job's log, that about its outcome among them, where it has said something of it.

        CloudWatch gets lines late: for a while one that is missing is waited for.

        Raises:
            ServiceUnavailable: The API does not answer.
            CredentialsExpired: They have.
        """
        if end.outcome_marker is not None:
            return [end.outcome_marker]
        if end.status is TrainingJobStatus.COMPLETED and read_manifest_digest(end.arguments) is None:
            return []  # it is no function's job, and has no value
        token = object()
        with self._lock:
            self._asking[token] = end.end_time or self._now()
        try:
            return self._read(end)
        finally:
            with self._lock:
                del self._asking[token]

    def _read(self, end: TrainingJobDescription) -> list[str]:
        searches = 0
        while True:
            if searches < SEARCHES and self._is_searched_for(end):
                searches += 1
                line = self._look_up(end)
                lines = [] if line is None else [line]
            else:
                searches = SEARCHES
                lines = read_tail(self._api, end.name, TAIL_LINES)
            if find_marker(lines, end) is not None or not (searches < SEARCHES or self._may_come(end)):
                return lines
            self._sleep(POLL_S)

    def _is_searched_for(self, end: TrainingJobDescription) -> bool:
        """Whether so many ask that reading one log after the other would take long."""
        if end.status is not TrainingJobStatus.COMPLETED or self._api.session.holds_requests or not self._may_search:
            return False
        return len(self._asking) > CROWD and self._now() - (end.end_time or self._now()) < RECENT

    def _may_come(self, end: TrainingJobDescription) -> bool:
        """Whether CloudWatch may not have got yet what the job has said."""
        late_s = LATE_S.get(end.status)
        if late_s is None or end.end_time is None or read_manifest_digest(end.arguments) is None:
            return False
        return not self._api.session.holds_requests and (self._now() - end.end_time).total_seconds() < late_s

    def _look_up(self, end: TrainingJobDescription) -> str | None:
        """The job's line, as an earlier search has found it, or one that began after this was asked."""
        before = self._searches
        with self._search:  # whoever waits here is searched for by the first of them
            if end.name not in self._found and self._searches == before and self._may_search:
                self._searches += 1
                self._search_all()
            return self._found.pop(end.name, None)

    def _search_all(self) -> None:
        with self._lock:
            recent = [ended for ended in self._asking.values() if self._now() - ended < RECENT]
        page: str | None = None
        try:
            for _ in range(MOST_PAGES):
                start = min(recent, default=self._now()) - BEFORE_END
                lines, page = self._api.search_logs(f'"{MARKER_PREFIX.strip()}"', start=start, page=page)
                for line in lines:
                    if find_host(line.stream) == "algo-1":
                        self._found[line.stream.partition("/")[0]] = line.text
                if page is None:
                    break
            else:
                self._may_search = False  # so much else is logged there that one log after the other is sooner read
        except CredentialsExpired:
            raise
        except RemoteError as error:
            # A policy that is older than this search does not allow it; any other trouble passes.
            self._may_search = not isinstance(error, SubmitError)
            logger.debug("The logs of all jobs cannot be searched: %s", error)
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]
