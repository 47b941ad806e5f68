"""Which job runs when: first come, first served, as far as the machine's capacity goes and none is scripted away.

A job that was interrupted, or is tried again, waits before those that came after it. The queue's truth is in the
database; what is kept here is its order. After a restart every unfinished job goes on from where it stands: running
containers are adopted, ended ones collected, vanished ones end with that as their reason.

What one lock guards is in one module, so this is a long one.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from bisect import insort
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sm_remote.service.engines.engine import EngineError
from sm_remote.service.hosts.capacity import Capacity
from sm_remote.service.hosts.gpus import Deal, deal_gpus
from sm_remote.service.hosts.host import list_hosts
from sm_remote.service.jobs.containers import find_host_share, find_share
from sm_remote.service.jobs.deletion import purge_job
from sm_remote.service.jobs.endings import with_stop
from sm_remote.service.jobs.kept_pools import KeptPool, KeptPools, clear_pool_directories, end_pool
from sm_remote.service.jobs.runner import Attempt
from sm_remote.service.jobs.shortages import Effect, Shortages
from sm_remote.service.jobs.sweep import sweep_leftovers
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records import failures, states
from sm_remote.service.records.job import JobRecord, Phase
from sm_remote.service.records.limits import find_waiting_limit
from sm_remote.service.records.store import NoSuchJobError
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

logger = logging.getLogger("sm_remote.service")

_SWEEP_S = 60.0
_RETRY_S = 2.0
NOTHING = Capacity(cpus=0, memory_bytes=0, gpus=0)
NO_GPUS: Deal = {}


@dataclass(kw_only=True, slots=True)
class _Running:
    """An attempt and what it takes of the machine; nothing any more once only its clearing up is left."""

    attempt: Attempt
    share: Capacity
    gpus: Deal
    holds_place: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    """A job in the queue, as it was when it came there."""

    record: JobRecord
    share: Capacity

    @property
    def name(self) -> str:
        return self.record.name


class Scheduler:
    """Runs the queue in a thread of its own, and each job in another.

    Args:
        workshop: What attempts work with.
        shortages: Capacity that is scripted away.
        max_parallel_jobs: An upper bound besides capacity, or None.
        go_idle: Called when the last job has ended.
        give_up: Called when the queue cannot be run any more; the next service takes it up from the database.
    """

    def __init__(
        self,
        workshop: Workshop,
        *,
        shortages: Shortages,
        max_parallel_jobs: int | None,
        go_idle: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._shop = workshop
        self._shortages = shortages
        self._max_parallel_jobs = max_parallel_jobs
        self._go_idle = go_idle
        self._give_up = give_up
        self._queue: list[_Waiting] = []
        self._running: dict[str, _Running] = {}
        self._kept = KeptPools()
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

    def is_short(self, request: Mapping[str, Any]) -> bool:
        """Whether capacity for a job that is requested so has been scripted away."""
        return self._shortages.find_effect(request) is not None

    def enqueue(self, record: JobRecord) -> None:
        """Takes in a job that has just been committed."""
        with self._changed:
            if not self._knows(record.name):
                self._queue_up(record)
            self._changed.notify_all()

    def _queue_up(self, record: JobRecord) -> None:
        waiting = _Waiting(record=record, share=find_share(record.request, self._shop.host))
        insort(self._queue, waiting, key=lambda each: each.record.sequence)

    def heed(self, record: JobRecord) -> None:
        """Acts on a stop or an interruption that has just been committed.

        The attempt's own thread ends a job, queued or not.
        """
        with self._changed:
            running = self._running.get(record.name)
            if running is not None:
                running.attempt.heed_soon(record)
            elif record.stop_cause is not None and self._knows(record.name):
                self._queue = [waiting for waiting in self._queue if waiting.name != record.name]
                self._launch(record.name, NOTHING)

    def update_pool(self, record: JobRecord) -> None:
        """Acts on a change of how long an ended job keeps its capacity."""
        with self._changed:
            self._kept.update(record)
            self._changed.notify_all()

    def look_again(self) -> None:
        """Has the queue looked at again: capacity may have come or gone."""
        with self._changed:
            self._changed.notify_all()

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
            self._end_pools()
            self._announce_waiting()
            self._stop_overdue()
            with self._changed:
                if self._closed:
                    return
                # A job may have come while the one before it was being announced.
                news = self._admit() or bool(self._find_unannounced())
                quiet = not news and not self._changed.wait(self._find_pause_s())
            if quiet:
                sweep_leftovers(self._shop)

    def _find_pause_s(self) -> float:
        """How long nothing happens by itself."""
        limits = (find_waiting_limit(waiting.record) for waiting in self._queue)
        deadlines = [limit[0] for limit in limits if limit is not None]
        deadlines += [kept.expires_at for kept in self._kept]
        return max(0.0, min(_SWEEP_S, min(deadlines, default=_SWEEP_S + self._shop.clock()) - self._shop.clock()))

    def _admit(self) -> bool:
        """Starts the first job that nothing is short for, if there is room for it.

        One that must fail needs no room, and one that finds a warm pool has it already.
        """
        for waiting in self._queue:
            kept = None if self._is_full() else self._kept.find(waiting.record.request)
            if kept is not None:
                self._queue.remove(waiting)
                self._kept.take(kept)
                self._announced.discard(waiting.name)
                self._launch(waiting.name, kept.share, gpus=kept.gpus, pool=kept.record)
                return True
            effect = self._shortages.find_effect(waiting.record.request)
            if effect is Effect.PENDING:
                continue
            if effect is None and not self._has_room(waiting):
                return False
            self._queue.remove(waiting)
            self._announced.discard(waiting.name)
            if effect is Effect.ERROR:
                self._launch(waiting.name, NOTHING, refusal=failures.CAPACITY)
            else:
                self._launch(waiting.name, waiting.share, gpus=self._deal_gpus(waiting.record))
            return True
        return False

    def _is_full(self) -> bool:
        holders = sum(running.holds_place for running in self._running.values())
        return self._max_parallel_jobs is not None and holders >= self._max_parallel_jobs

    def _has_room(self, waiting: _Waiting) -> bool:
        if self._is_full():
            return False
        is_idle = not self._kept and not any(running.holds_place for running in self._running.values())
        return is_idle or waiting.share.fits_into(self._free())

    def _knows(self, name: str) -> bool:
        return name in self._running or any(waiting.name == name for waiting in self._queue)

    def _free(self) -> Capacity:
        free = self._shop.host
        for running in self._running.values():
            free -= running.share
        for kept in self._kept:
            free -= kept.share
        return free

    def _launch(
        self,
        name: str,
        share: Capacity,
        *,
        gpus: Deal = NO_GPUS,
        containers: Collection[str] = (),
        refusal: str | None = None,
        pool: JobRecord | None = None,
    ) -> None:
        # Trouble before the claim leaves a job with the same GPUs, pool or refusal for the next try.
        make_attempt = partial(Attempt, self._shop, name, release=self._release, gpus=gpus, refusal=refusal, pool=pool)
        attempt = make_attempt()
        self._running[name] = _Running(attempt=attempt, share=share, gpus=gpus)
        # A thread of its own, not of a pool: a pool's threads would keep the process from ending.
        threading.Thread(
            target=self._run_attempt, args=(attempt, make_attempt, name, containers), name=f"job {name}", daemon=True
        ).start()

    def _deal_gpus(self, record: JobRecord) -> Deal:
        machine = self._shop.host
        wanted = {host.name: find_host_share(host, machine).gpus for host in list_hosts(record.request)}
        all_deals = [held.gpus for held in self._running.values()] + [held.gpus for held in self._kept]
        deals = [numbers for deal in all_deals for numbers in deal.values()]
        return deal_gpus(wanted, taken=itertools.chain(*deals), total=machine.gpus)

    def _release(self, record: JobRecord) -> None:
        """Takes an ended job's share of the machine, for others or for its warm pool."""
        with self._changed:
            running = self._running.get(record.name)
            # Not twice, where clearing up is tried again: by then another job may have what was given away.
            if running is not None and running.holds_place:
                self._kept.keep(record, running.share, running.gpus)
                running.share, running.gpus, running.holds_place = NOTHING, NO_GPUS, False
            self._changed.notify_all()

    def _run_attempt(
        self,
        attempt: Attempt,
        make_attempt: Callable[[], Attempt],
        name: str,
        containers: Collection[str] | None,
    ) -> None:
        while (done := self._try_attempt(attempt, name, containers)) is None:
            with self._changed:
                self._changed.wait(_RETRY_S)
                if self._closed:
                    return
                attempt = self._running[name].attempt = make_attempt()
            containers = None
        if done:
            self._shop.secrets.forget(name)
        # Nothing after this may touch the store: who joins closes it once nobody is left.
        with self._changed:
            self._running.pop(name, None)
            if not done and not self._closed:
                self._take_back_or_give_up(name)
            if not self._running and not self._queue:
                self._go_idle()
            self._changed.notify_all()

    def _take_back_or_give_up(self, name: str) -> None:
        try:
            self._take_back(name)
        except Exception:
            logger.exception("The job cannot be read; the next service takes it up", extra={"job_name": name})
            self._give_up()

    def _take_back(self, name: str) -> None:
        """Takes a job that waits for another attempt into the queue; one that is to stop needs no capacity for that."""
        record = self._shop.store.find(name)
        if record.stop_cause is not None:
            self._launch(name, NOTHING)
        else:
            self._queue_up(record)

    def _try_attempt(self, attempt: Attempt, name: str, containers: Collection[str] | None) -> bool | None:
        """Trouble of the service's own, such as a full disk, ends no job: it is tried again from where it stands.

        Args:
            attempt: What is tried.
            name: The job's.
            containers: The names of those that the engine knows; None where that has to be asked.

        Returns:
            Whether the job has ended, or else waits for another attempt; None after trouble.
        """
        try:
            if containers is None:
                containers = self._list_containers()
                if self._closed:
                    return None  # nobody may have answered: the next service asks again
            if attempt.run(containers):
                return False
            self._purge_if_deleted(name)
            return True
        except NoSuchJobError:
            logger.warning("The job was deleted", extra={"job_name": name})
            return True
        except Exception:
            logger.exception("The job's thread failed; it is tried again", extra={"job_name": name})
            return None

    def _purge_if_deleted(self, name: str) -> None:
        try:
            if self._shop.store.find(name).state.status is Status.DELETING:
                purge_job(self._shop.home, self._shop.store, name)
        except NoSuchJobError:
            pass

    def _announce_waiting(self) -> None:
        """Says of queued jobs that they wait, once each."""
        with self._changed:
            blocked = self._find_unannounced()
            self._announced.update(blocked)
        for name in blocked:
            self._change_waiting(name, _pend)

    def _find_unannounced(self) -> list[str]:
        """Names of queued jobs that wait and of which that has not been said yet."""
        effects = [(each, self._shortages.find_effect(each.record.request)) for each in self._queue]
        held = [each for each, effect in effects if effect is Effect.PENDING]
        ready = [each for each, effect in effects if effect is None]
        if ready and not self._has_room(ready[0]):  # or else they are about to start
            held += ready
        return [each.name for each in held if each.name not in self._announced]

    def _stop_overdue(self) -> None:
        """Stops queued jobs that have waited for longer than they may."""
        now = self._shop.clock()
        with self._changed:
            limits = [(waiting.name, find_waiting_limit(waiting.record)) for waiting in self._queue]
        for name, limit in limits:
            if limit is not None and limit[0] <= now:
                cause = limit[1]
                record = self._change_waiting(name, lambda record, now: with_stop(record, cause, now))  # noqa: B023
                if record is not None:
                    self.heed(record)

    def _change_waiting(self, name: str, function: Callable[[JobRecord, float], JobRecord]) -> JobRecord | None:
        """Changes a job that is in the queue; one that has left it meanwhile stays as it is."""
        now = self._shop.clock()
        try:
            return self._shop.store.change(
                name, lambda record: function(record, now) if record.phase is Phase.QUEUED else record, now
            )
        except NoSuchJobError:
            return None

    def _recover(self) -> None:
        containers = self._list_containers()
        if self._closed:
            return  # nobody may have answered: what runs is not known
        for record in self._shop.store.list_unfinished():
            with self._changed:
                if self._knows(record.name):
                    continue
                if record.phase is Phase.QUEUED and record.stop_cause is None:
                    self._queue_up(record)
                    continue
                share = find_share(record.request, self._shop.host)
                gpus = record.current.gpus if record.attempts else NO_GPUS
                self._launch(record.name, share, gpus=gpus, containers=containers)
        with self._changed:
            self._kept.recover(self._shop, self._running)
        clear_pool_directories(self._shop)
        for name in self._shop.store.list_deleting():
            self._purge_if_deleted(name)
        sweep_leftovers(self._shop)

    def _end_pools(self) -> None:
        """Gives back the capacity of warm pools whose time is over, or that would keep a job waiting."""
        with self._changed:
            ended = self._kept.take_expired(self._shop.clock())
            ended += [self._kept.take(kept) for kept in self._find_pools_in_the_way()]
        for record in ended:
            end_pool(record, self._shop)

    def _find_pools_in_the_way(self) -> list[KeptPool]:
        """The pools, those that end first, without which the first job that could start would have room.

        On SageMaker other jobs get other machines. Here there is one, and what a pool saves is never worth the wait.
        """
        effects = ((each, self._shortages.find_effect(each.record.request)) for each in self._queue)
        first = next((each for each, effect in effects if effect is None), None)
        if (
            first is None
            or self._is_full()
            or self._has_room(first)
            or self._kept.find(first.record.request) is not None
        ):
            return []
        free, ended = self._free(), list[KeptPool]()
        for kept in sorted(self._kept, key=lambda kept: kept.expires_at):
            free += kept.share
            ended.append(kept)
            if first.share.fits_into(free):
                return ended
        is_alone = not any(running.holds_place for running in self._running.values())
        return ended if is_alone else []

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


def _pend(record: JobRecord, now: float) -> JobRecord:
    if record.stop_cause is not None or record.state.secondary is not Secondary.STARTING:
        return record
    return record.advanced(Status.IN_PROGRESS, Secondary.PENDING, states.PENDING_MESSAGE, now)
