"""Which job runs when: first come, first served, as far as the machine's capacity goes.

The queue's truth is in the database; what is kept here is its order. After a restart every unfinished job goes on from
where it stands: running containers are adopted, ended ones collected, vanished ones end with that as their reason.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sm_remote.service import states
from sm_remote.service.capacity import Capacity
from sm_remote.service.containers import find_share
from sm_remote.service.deletion import purge_job
from sm_remote.service.engine import EngineError
from sm_remote.service.records import JobRecord, Phase
from sm_remote.service.runner import Attempt
from sm_remote.service.store import NoSuchJobError
from sm_remote.service.workshop import Workshop
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

logger = logging.getLogger("sm_remote.service")

_SWEEP_S = 60.0
_RETRY_S = 2.0
NOTHING = Capacity(cpus=0, memory_bytes=0, gpus=0)


@dataclass(kw_only=True, slots=True)
class _Running:
    """An attempt and what it takes of the machine; nothing any more once only its clearing up is left."""

    attempt: Attempt
    share: Capacity
    holds_place: bool = True


class Scheduler:
    """Runs the queue in a thread of its own, and each job in another.

    Args:
        workshop: What attempts work with.
        max_parallel_jobs: An upper bound besides capacity, or None.
        go_idle: Called when the last job has ended.
        give_up: Called when the queue cannot be run any more; the next service takes it up from the database.
    """

    def __init__(
        self,
        workshop: Workshop,
        *,
        max_parallel_jobs: int | None,
        go_idle: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._shop = workshop
        self._max_parallel_jobs = max_parallel_jobs
        self._go_idle = go_idle
        self._give_up = give_up
        self._queue: deque[tuple[str, Capacity]] = deque()
        self._running: dict[str, _Running] = {}
        self._announced: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Takes up what is unfinished, then whatever comes."""
        self._thread.start()

    def close(self) -> None:
        """Starts no further job. Containers run on, for the next service to adopt."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Waits until the queue stands still and ended jobs are cleared up after; whether that has come."""
        deadline = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        with self._changed:
            cleared = self._changed.wait_for(
                lambda: all(running.holds_place for running in self._running.values()), deadline - time.monotonic()
            )
        return cleared and not self._thread.is_alive()

    def enqueue(self, record: JobRecord) -> None:
        """Takes in a job that has just been committed."""
        share = find_share(record.request, self._shop.host)
        with self._changed:
            if not self._knows(record.name):
                self._queue.append((record.name, share))
            self._changed.notify_all()

    def stop_job(self, name: str) -> None:
        """Acts on a stop that has just been committed; the attempt's own thread ends a job, queued or not."""
        with self._changed:
            running = self._running.get(name)
            if running is not None:
                running.attempt.stop_soon()
            elif any(queued == name for queued, _ in self._queue):
                self._queue = deque(entry for entry in self._queue if entry[0] != name)
                self._launch(name, NOTHING, container_exists=False)

    def count_jobs(self) -> tuple[int, int]:
        """How many jobs run, and how many wait."""
        with self._changed:
            return len(self._running), len(self._queue)

    def _run(self) -> None:
        try:
            self._recover()
            self._run_queue()
        except Exception:
            logger.exception("The queue cannot be run")
            self._give_up()

    def _run_queue(self) -> None:
        while True:
            self._announce_waiting()
            with self._changed:
                if self._closed:
                    return
                quiet = not self._admit() and not self._changed.wait(_SWEEP_S)
            if quiet:
                self._sweep()

    def _admit(self) -> bool:
        """Starts the first job of the queue if there is room for it."""
        if not self._queue or not self._has_room():
            return False
        name, share = self._queue.popleft()
        self._announced.discard(name)
        self._launch(name, share, container_exists=False)
        return True

    def _has_room(self) -> bool:
        holders = sum(running.holds_place for running in self._running.values())
        if self._max_parallel_jobs is not None and holders >= self._max_parallel_jobs:
            return False
        return not holders or self._queue[0][1].fits_into(self._free())

    def _knows(self, name: str) -> bool:
        return name in self._running or any(queued == name for queued, _ in self._queue)

    def _free(self) -> Capacity:
        free = self._shop.host
        for running in self._running.values():
            free -= running.share
        return free

    def _launch(self, name: str, share: Capacity, *, container_exists: bool) -> None:
        attempt = Attempt(self._shop, name, release=lambda: self._release(name))
        self._running[name] = _Running(attempt=attempt, share=share)
        # A thread of its own, not of a pool: a pool's threads would keep the process from ending.
        threading.Thread(
            target=self._run_attempt, args=(attempt, name, container_exists), name=f"job {name}", daemon=True
        ).start()

    def _release(self, name: str) -> None:
        with self._changed:
            running = self._running.get(name)
            if running is not None:
                running.share, running.holds_place = NOTHING, False
            self._changed.notify_all()

    def _run_attempt(self, attempt: Attempt, name: str, container_exists: bool | None) -> None:
        while not self._try_attempt(attempt, name, container_exists):
            with self._changed:
                self._changed.wait(_RETRY_S)
                if self._closed:
                    return
                attempt = Attempt(self._shop, name, release=lambda: self._release(name))
                self._running[name].attempt = attempt
            container_exists = None
        with self._changed:
            self._running.pop(name, None)
            idle = not self._running and not self._queue
            self._changed.notify_all()
        if idle:
            self._go_idle()
        self._purge_if_deleted(name)

    def _try_attempt(self, attempt: Attempt, name: str, container_exists: bool | None) -> bool:
        """Trouble of the service's own, such as a full disk, ends no job: it is tried again from where it stands.

        Args:
            attempt: What is tried.
            name: The job's.
            container_exists: None where that has to be asked.
        """
        try:
            if container_exists is None:
                container_exists = self._shop.store.find(name).container_name in self._list_containers()
                if self._closed:
                    return False  # nobody may have answered: the next service asks again
            attempt.run(container_exists)
        except NoSuchJobError:
            logger.warning("The job was deleted", extra={"job_name": name})
        except Exception:
            logger.exception("The job's thread failed; it is tried again", extra={"job_name": name})
            return False
        return True

    def _purge_if_deleted(self, name: str) -> None:
        try:
            if self._shop.store.find(name).state.status is Status.DELETING:
                purge_job(self._shop.home, self._shop.store, name)
        except NoSuchJobError:
            pass

    def _announce_waiting(self) -> None:
        """Says of queued jobs that they wait, once each."""
        with self._changed:
            if not self._queue or self._has_room():
                return
            blocked = [name for name, _ in self._queue if name not in self._announced]
            self._announced.update(blocked)
        for name in blocked:
            now = self._shop.clock()
            try:
                self._shop.store.change(name, lambda record: _pend(record, now), now)  # noqa: B023 - called at once
            except NoSuchJobError:
                continue

    def _recover(self) -> None:
        containers = self._list_containers()
        if self._closed:
            return  # nobody may have answered: what runs is not known
        for record in self._shop.store.list_unfinished():
            share = find_share(record.request, self._shop.host)
            with self._changed:
                if self._knows(record.name):
                    continue
                if record.phase is Phase.QUEUED and record.stop_cause is None:
                    self._queue.append((record.name, share))
                    continue
                self._launch(record.name, share, container_exists=record.container_name in containers)
        for name in self._shop.store.list_deleting():
            self._purge_if_deleted(name)
        self._sweep()

    def _list_containers(self) -> dict[str, bool]:
        """Asks until the engine answers: that it does not is no reason to end a job."""
        while not self._closed:
            try:
                return self._shop.engine.list_containers(self._shop.owner)
            except EngineError as error:
                logger.warning("The container engine does not answer: %s", error)
                with self._changed:
                    self._changed.wait(_RETRY_S)
        return {}

    def _sweep(self) -> None:
        """Removes containers of ours that belong to no job that runs."""
        try:
            containers = self._shop.engine.list_containers(self._shop.owner)
            # Listed first: a container that is started meanwhile is not in the list.
            wanted = {record.container_name for record in self._shop.store.list_unfinished()}
            for name in containers.keys() - wanted:
                logger.warning("Removing the container %s, which belongs to no unfinished job", name)
                self._shop.engine.stop(name, 0.0)
                self._shop.engine.remove(name)
        except EngineError as error:
            logger.warning("Containers could not be swept: %s", error)


def _pend(record: JobRecord, now: float) -> JobRecord:
    if record.phase is not Phase.QUEUED or record.state.secondary is not Secondary.STARTING:
        return record
    return record.advanced(Status.IN_PROGRESS, Secondary.PENDING, states.PENDING_MESSAGE, now)
