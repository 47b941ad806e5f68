"""Watches all jobs of a connection from one thread: the number of API calls does not grow with the number of jobs.

The local service holds ListTrainingJobs until any job changes; SageMaker answers at once and is asked every two
seconds, the interval growing while nothing happens. DescribeTrainingJob is called once for each job that has ended.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import JobNotFound, RemoteError

logger = logging.getLogger("sm_remote")

HOLD_S = 20.0
SHORTEST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 10.0
CROWD = 4
"""With more jobs than this, changes are looked at in batches..."""
CROWD_PAUSE_S = 0.1
"""...at most ten times a second."""

OnEnd = Callable[[TrainingJobDescription | RemoteError], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Watched:
    created: datetime
    on_end: OnEnd


class Watcher:
    """Tells when jobs end. Its thread starts with the first job and goes when none is left.

    Args:
        training_jobs: The API.
        holds_requests: Whether the API holds a request until something changes.
        sleep: Passed in by tests.
    """

    def __init__(
        self, training_jobs: TrainingJobs, *, holds_requests: bool, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._api = training_jobs
        self._holds = holds_requests
        self._sleep = sleep
        self._lock = threading.Lock()
        self._watched: dict[str, list[_Watched]] = {}
        self._thread: threading.Thread | None = None
        self.calls = 0

    def watch(self, name: str, created: datetime, on_end: OnEnd) -> None:
        """Calls ``on_end`` from the watching thread, once, when the job has ended or cannot be seen any more."""
        with self._lock:
            self._watched.setdefault(name, []).append(_Watched(created=created, on_end=on_end))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sm_remote-watcher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause_s, seen, failures = SHORTEST_PAUSE_S, 0, 0
        while True:
            with self._lock:
                if not self._watched:
                    self._thread = None
                    return
                names = set(self._watched)
                oldest = min(entry.created for entries in self._watched.values() for entry in entries)
            try:
                ended, live, seen = self._look(names, oldest, seen)
                failures = 0
            except Exception as error:  # noqa: BLE001 - without this thread every job would wait for ever
                # Trouble with the API is never a job's failure: wait and look again, saying so once.
                failures += 1
                if failures == 3:
                    logger.warning("The training-job API does not answer; jobs go on, waiting for it. %s", error)
                self._sleep(min(LONGEST_PAUSE_S, 0.2 * 2**failures))
                continue
            with self._lock:
                if self._watched.keys() - names:
                    seen = 0  # a job that came while we looked may have ended in the change that woke us: look again
            for name in ended | self._find_vanished(names - ended - live):
                self._finish(name)
            pause_s = SHORTEST_PAUSE_S if ended else min(LONGEST_PAUSE_S, pause_s * 1.2)
            if not self._holds:
                self._sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            elif len(names) > CROWD:
                self._sleep(CROWD_PAUSE_S)

    def _look(self, names: set[str], oldest: datetime, seen: int) -> tuple[set[str], set[str], int]:
        """One look at the list: (names that ended, names that live, the change counter)."""
        ended: set[str] = set()
        live: set[str] = set()
        page: str | None = None
        counter = seen
        wait_s = HOLD_S if self._holds and seen else 0.0
        while True:
            self.calls += 1
            first = page is None
            rows, page, version = self._api.list_page(
                created_after=oldest - timedelta(seconds=2), page=page, wait_s=wait_s if first else 0.0, seen=seen
            )
            # The first page's counter is the one to wait on: what changes while paging must wake us again.
            counter = version if first else counter
            for row in rows:
                if row.name in names:
                    (ended if row.status.is_terminal else live).add(row.name)
            if page is None or len(ended) + len(live) == len(names):
                return ended, live, counter

    def _find_vanished(self, missing: set[str]) -> set[str]:
        """Of the jobs that the list did not show, those that cannot be described: deleted, or never there."""
        vanished = set()
        for name in missing:
            try:
                if self._api.describe(name).status.is_terminal:
                    vanished.add(name)
            except JobNotFound:
                vanished.add(name)
            except Exception:
                logger.debug("Could not look at %s; trying again.", name, exc_info=True)
        return vanished

    def _finish(self, name: str) -> None:
        try:
            result: TrainingJobDescription | RemoteError = self._api.describe(name)
        except JobNotFound as error:
            result = error
        except Exception:
            logger.debug("Could not look at %s; trying again.", name, exc_info=True)
            return  # still watched: the next look tries again
        with self._lock:
            entries = self._watched.pop(name, [])
        for entry in entries:
            entry.on_end(result)
