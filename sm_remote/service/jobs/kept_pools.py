"""The capacity that ended jobs keep in their warm pools. Whoever calls holds the scheduler's lock, where not said."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sm_remote.service.hosts.capacity import Capacity
from sm_remote.service.hosts.gpus import Deal
from sm_remote.service.hosts.working_tree import clear_away
from sm_remote.service.jobs.containers import find_share
from sm_remote.service.jobs.standby import discard_standby, pool_directory
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.pool import PoolStatus
from sm_remote.service.records.store import NoSuchJobError
from sm_remote.service.records.warm_pools import can_follow, find_keep_alive_s, with_pool_terminated


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptPool:
    """What an ended job keeps: capacity, and which GPUs."""

    record: JobRecord
    share: Capacity
    gpus: Deal

    @property
    def expires_at(self) -> float:
        """When it goes, in seconds since the epoch."""
        pool = self.record.pool
        return 0.0 if pool is None or pool.expires_at is None else pool.expires_at


class KeptPools:
    """All of them, by the ended job's name."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptPool] = {}

    def __iter__(self) -> Iterator[KeptPool]:
        """Each of them."""
        return iter(self._kept.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._kept)

    def keep(self, record: JobRecord, share: Capacity, gpus: Deal) -> None:
        """Keeps what an ended job had, if it has a warm pool to keep it in."""
        if record.pool is not None and record.pool.status is PoolStatus.AVAILABLE:
            self._kept[record.name] = KeptPool(record=record, share=share, gpus=gpus)

    def update(self, record: JobRecord) -> None:
        """Takes in that a job's pool is kept for longer, or less long."""
        if record.name in self._kept:
            self._kept[record.name] = replace(self._kept[record.name], record=record)

    def find(self, request: Mapping[str, Any]) -> KeptPool | None:
        """One that a job which is requested so may have."""
        if not find_keep_alive_s(request):
            return None
        return next((kept for kept in self if can_follow(kept.record.request, request)), None)

    def take(self, kept: KeptPool) -> JobRecord:
        """Gives one away; the job that kept it."""
        return self._kept.pop(kept.record.name).record

    def take_expired(self, now: float) -> list[JobRecord]:
        """Gives up those whose time is over; the jobs that kept them."""
        return [self.take(kept) for kept in list(self) if kept.expires_at <= now]

    def recover(self, shop: Workshop, running: Collection[str]) -> None:
        """Takes up the pools that the database knows, after a restart.

        Args:
            shop: With the database.
            running: Jobs that are not cleaned up: such a one gives its pool back itself.
        """
        # A job that has followed notes so itself.
        followed = {record.current.pool for record in shop.store.list_unfinished() if record.attempts}
        for record in shop.store.list_pools():
            if record.name not in followed and record.name not in running:
                self.keep(record, find_share(record.request, shop.host), record.current.gpus)


def end_pool(record: JobRecord, shop: Workshop) -> None:
    """Gives a pool back and removes what it held. Without the lock: it asks the engine."""
    now = shop.clock()
    with suppress(NoSuchJobError):
        shop.store.change(record.name, lambda record: with_pool_terminated(record, now), now)
    discard_standby(record, shop)
    if record.pool is not None:
        clear_away(pool_directory(shop.home, record.pool.root), shop.home)


def clear_pool_directories(shop: Workshop) -> None:
    """Removes what is left of pools that are gone. Without the lock."""
    roots = {record.pool.root for record in shop.store.list_pools() if record.pool is not None}
    if shop.home.pools.is_dir():
        for directory in shop.home.pools.iterdir():
            if directory.name not in roots:
                clear_away(directory, shop.home)
