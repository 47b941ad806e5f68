"""Watches all jobs of a connection from one thread: the number of API calls does not grow with the number of jobs.

The local service holds ListTrainingJobs until any job changes (`HeldList`); SageMaker answers at once, and is asked for
what has changed every other second (`SweptList`). DescribeTrainingJob is called once for each job that has ended.
Whoever needs no more than the list tells of a completed job is told at once, and what is billed is described later:
SageMaker describes few jobs a second, and many may end at one moment.
Throttling and trouble with the API are no job's failure: the next look is later. Credentials that have expired are told
to those who wait, and looked for anew.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sm_remote.aws.responses import TrainingJobDescription, TrainingJobSummary
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import CredentialsExpired, JobNotFound, RemoteError, Throttled
from sm_remote.jobs.watching.lists import HeldList, JobList, SweptList
from sm_remote.spec import TrainingJobStatus

logger = logging.getLogger("sm_remote")

LONGEST_PAUSE_S = 10.0
EXPIRED_PAUSE_S = 5.0
"""Between two looks for credentials that somebody has renewed."""
BATCH = 10
"""Jobs that are described before the list is looked at again..."""
BESIDE = 3
"""...and as many of those that can wait while the list's next page waits for its turn."""
PATIENCE_S = 180.0
"""Throttling that lasts longer is told, once."""

OnEnd = Callable[[TrainingJobDescription | RemoteError], None]
OnTrouble = Callable[[CredentialsExpired], None]
OnCompleted = Callable[[TrainingJobSummary], bool]
"""Tells whether that is enough for now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Watched:
    created: datetime
    on_end: OnEnd
    on_trouble: OnTrouble
    on_completed: OnCompleted


def _ignore(_: CredentialsExpired) -> None:
    return


def _need_more(_: TrainingJobSummary) -> bool:
    return False


class Watcher:
    """Tells when jobs end. Its thread starts with the first job and goes when none is left.

    Args:
        training_jobs: The API.
        holds_requests: Whether the API holds a request until something changes.
        sleep: Passed in by tests; by default `hurry` cuts it short.
        clock: Seconds that only grow.
        jobs: Where the jobs are looked for; by default what fits the API.
    """

    def __init__(
        self,
        training_jobs: TrainingJobs,
        *,
        holds_requests: bool,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        jobs: JobList | None = None,
    ) -> None:
        self._api = training_jobs
        self._list = jobs or (HeldList(training_jobs) if holds_requests else SweptList(training_jobs, clock=clock))
        self._woken = threading.Event()
        self._sleep = sleep or self._await_hurry
        self._clock = clock
        self._lock = threading.Lock()
        self._watched: dict[str, list[_Watched]] = {}
        self._pending: dict[str, bool] = {}
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._throttled_since: float | None = None
        self._expired_told = False

    def watch(
        self,
        name: str,
        created: datetime,
        on_end: OnEnd,
        on_trouble: OnTrouble = _ignore,
        on_completed: OnCompleted = _need_more,
    ) -> None:
        """Has a job watched.

        Args:
            name: The job.
            created: When it was, or earlier.
            on_end: Called from the watching thread, once, when it has ended or cannot be seen any more.
            on_trouble: Called from there whenever it cannot be looked at because credentials have expired.
            on_completed: Called from there, mostly once, when a list has it as completed; `on_end` comes behind it.
        """
        self.add(name, created, on_end, on_trouble, on_completed)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sm_remote-watcher", daemon=True)
                self._thread.start()

    def add(
        self,
        name: str,
        created: datetime,
        on_end: OnEnd,
        on_trouble: OnTrouble = _ignore,
        on_completed: OnCompleted = _need_more,
    ) -> None:
        """`watch` for whoever calls `step`: nothing is started."""
        entry = _Watched(created=created, on_end=on_end, on_trouble=on_trouble, on_completed=on_completed)
        with self._lock:
            self._watched.setdefault(name, []).append(entry)
            self._list.note_newcomer()

    def hurry(self) -> None:
        """Somebody waits anew: a pause that trouble has caused ends now."""
        if self._failures or self._expired_told:
            self._woken.set()

    def _await_hurry(self, pause_s: float) -> None:
        self._woken.wait(pause_s)
        self._woken.clear()

    def _run(self) -> None:
        while True:
            pause_s = self.step()
            if pause_s is None:
                return
            if pause_s:
                self._sleep(pause_s)

    def step(self) -> float | None:
        """Looks once: how many seconds to pause before the next time, or None where no job is left."""
        with self._lock:
            if not self._watched:
                self._thread = None
                return None
            names = set(self._watched)
            oldest = min(entry.created for entries in self._watched.values() for entry in entries)
        try:
            if self._list.is_asked_again_and_again or not self._pending:
                self._take_up(self._list.look(names, oldest))
            self._finish_some(self._list.find_pause_s(len(names)))
        except Throttled as error:
            return self._on_throttling(error)
        except CredentialsExpired as error:
            return self._on_expired(error)
        except Exception as error:  # noqa: BLE001 - without this thread every job would wait for ever
            return self._on_trouble(error)
        self._failures, self._throttled_since, self._expired_told = 0, None, False
        return 0.0 if self._choose_pending(self._list.find_pause_s(0)) else self._list.find_pause_s(len(names))

    def _take_up(self, found: Mapping[str, TrainingJobSummary | None]) -> None:
        """Notes who has ended, and tells at once of whom nothing else is needed."""
        ended = {name: row for name, row in found.items() if name not in self._pending}
        self._pending.update(dict.fromkeys(ended, False))  # all of them, whatever telling one of them raises
        for name, row in ended.items():
            if row is not None and row.status is TrainingJobStatus.COMPLETED:
                with self._lock:
                    entries = list(self._watched.get(name, ()))
                answers = [entry.on_completed(row) for entry in entries]
                self._pending[name] = all(answers)

    def _choose_pending(self, pause_s: float) -> list[str]:
        """The jobs to describe before the list is looked at again, those first that nobody knows the end of.

        Args:
            pause_s: How long there is nothing to ask the list for.
        """
        if not self._list.is_asked_again_and_again:
            return list(self._pending)
        urgent = [name for name, is_told in self._pending.items() if not is_told]
        others = [name for name, is_told in self._pending.items() if is_told][: BATCH if pause_s > 0 else BESIDE]
        return [*urgent, *others][:BATCH]

    def _on_throttling(self, error: Throttled) -> float:
        """Requests wait for their turns by themselves, ever longer."""
        now = self._clock()
        if self._throttled_since is None:
            self._throttled_since = now
        elif self._throttled_since >= 0 and now - self._throttled_since > PATIENCE_S:
            logger.warning("SageMaker has throttled every look at the list for minutes; jobs go on. %s", error.why)
            self._throttled_since = -1.0
        return self._list.find_pause_s(0)

    def _on_expired(self, error: CredentialsExpired) -> float:
        if not self._expired_told:
            self._expired_told = True
            logger.warning(
                "Jobs cannot be looked at, and go on: the AWS credentials have expired or are gone. %s", error.fix
            )
        with self._lock:
            entries = [entry for entries in self._watched.values() for entry in entries]
        for entry in entries:
            entry.on_trouble(error)
        return EXPIRED_PAUSE_S

    def _on_trouble(self, error: Exception) -> float:
        """Trouble with the API is never a job's failure: wait and look again, saying so once."""
        self._failures += 1
        if self._failures == 3:
            logger.warning("The training-job API does not answer; jobs go on, waiting for it. %s", error)
        return min(LONGEST_PAUSE_S, 0.2 * 2.0 ** min(self._failures, 10))

    def _finish_some(self, pause_s: float) -> None:
        """Describes jobs that have ended; one that cannot be described holds up no other.

        Args:
            pause_s: How long there is nothing to ask the list for.

        Raises:
            Exception: What kept the last such one from being described.
        """
        trouble: Exception | None = None
        for name in self._choose_pending(pause_s):
            try:
                self._finish(name)
            except (Throttled, CredentialsExpired):
                raise
            except Exception as error:  # noqa: BLE001 - see above
                trouble = error
                self._pending[name] = self._pending.pop(name)
        if trouble is not None:
            raise trouble

    def _finish(self, name: str) -> None:
        """Describes a job that has ended, or vanished, and tells whoever waits for it."""
        try:
            result: TrainingJobDescription | RemoteError = self._api.describe(name)
        except JobNotFound as error:
            result = error
        if isinstance(result, TrainingJobDescription) and not result.status.is_terminal:
            self._pending.pop(name, None)  # the list was wrong about it: it is looked at again
            return
        with self._lock:
            entries = self._watched.pop(name, [])
        try:
            while entries:
                entries[0].on_end(result)  # it may want a thread, of which there may be too many just now
                del entries[0]
            self._pending.pop(name, None)
        finally:
            if entries:
                with self._lock:
                    self._watched[name] = [*entries, *self._watched.get(name, ())]
