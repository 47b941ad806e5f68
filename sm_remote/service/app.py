"""The service put together, without a process of its own: `__main__` runs a `LocalService`, and tests do."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sm_remote import __version__
from sm_remote.home import (
    LOCAL_KEY_PREFIX,
    Discovery,
    Home,
    discovery_path,
    make_private,
    read_discovery,
    write_discovery,
    write_private,
)
from sm_remote.service.api.authentication import Keys, Verifier
from sm_remote.service.engines.engine import Engine
from sm_remote.service.hosts.capacity import Capacity
from sm_remote.service.hosts.container_access import ContainerAccess, find_s3_endpoint, open_grant
from sm_remote.service.jobs.notifier import ALL_JOBS, Notifier, log_topic
from sm_remote.service.jobs.scheduler import Scheduler
from sm_remote.service.jobs.shortages import Shortages
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.metrics.catalogue import MetricSeries
from sm_remote.service.metrics.usage import UsageSampler
from sm_remote.service.operations.capacity import CapacityOperations
from sm_remote.service.operations.images import ImageOperations
from sm_remote.service.operations.jobs import JobOperations
from sm_remote.service.operations.listing import JobListing
from sm_remote.service.operations.log_search import LogSearch
from sm_remote.service.operations.logs import LogOperations
from sm_remote.service.operations.metrics import MetricOperations
from sm_remote.service.operations.own import OwnOperations
from sm_remote.service.operations.search import SearchOperations
from sm_remote.service.operations.table import list_operations
from sm_remote.service.operations.tags import TagOperations
from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.store import JobStore
from sm_remote.service.server import Edge, Server
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.remote_bucket import make_s3_client
from sm_remote.service.storage.s3_server import S3Server, find_program

logger = logging.getLogger("sm_remote.service")

_BLOCKING_THREADS = 16
_LAST_WORK_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceConfig:
    """How a service behaves.

    Attributes:
        idle_s: It ends after this long without a live job and without a request; None for never.
        max_parallel_jobs: An upper bound besides the machine's capacity.
        stop_grace_s: From SIGTERM to SIGKILL.
        interruption_grace_s: The same where spot capacity is taken away; 0 for SIGKILL alone.
        with_s3: Whether an S3 server runs beside it. Then it does not end by itself: it cannot tell who uses that.
        container_credentials: What code in containers gets: ``none``, ``s3`` or ``profile:NAME``.
    """

    idle_s: float | None = 900.0
    max_parallel_jobs: int | None = None
    stop_grace_s: float = 120.0
    interruption_grace_s: float = 120.0
    with_s3: bool = False
    container_credentials: str = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What stays the same over restarts: the keys, and the owner that containers are labelled with."""

    owner: str
    keys: Keys


class LocalService:
    """The local training service of one user.

    Args:
        home: Where everything is kept. Only one service may run on it: the caller holds the lock.
        engine: Runs containers.
        host: What jobs may have of this machine.
        config: How to behave.
        clock: Seconds since the epoch.
        reach: Told the names of crash points; tests crash there.
        make_client: Makes the S3 client for buckets other than the embedded store's.

    Raises:
        StorageError: The database is damaged, or of a newer version.
        ConfigError: The S3 server or the containers' credentials that are wanted cannot be had.
    """

    def __init__(
        self,
        *,
        home: Home,
        engine: Engine,
        host: Capacity,
        config: ServiceConfig,
        clock: Callable[[], float] = time.time,
        reach: Callable[[str], None] = lambda point: None,
        make_client: Callable[[], Any] = make_s3_client,
    ) -> None:
        for directory in (home.data, home.service, home.store, home.jobs, home.logs):
            make_private(directory)
        identity = load_identity(home)
        self._home = home
        self._config = config
        self._notifier = Notifier()
        self._s3 = S3Server(home.s3, identity.keys, find_program(os.environ)) if config.with_s3 else None
        self._access = ContainerAccess(
            home=home,
            engine=engine,
            grant=open_grant(config.container_credentials, self._s3.address.container_keys if self._s3 else None),
            find_endpoint=self._find_s3_endpoint,
        )
        self._store = JobStore(home.service / "jobs.sqlite", self._announce)
        self._workshop = Workshop(
            home=home,
            store=self._store,
            engine=engine,
            buckets=Buckets(home, self._s3.make_client) if self._s3 else Buckets(home, make_client),
            access=self._access,
            notifier=self._notifier,
            host=host,
            owner=identity.owner,
            clock=clock,
            stop_grace_s=config.stop_grace_s,
            interruption_grace_s=config.interruption_grace_s,
            reach=reach,
            sampler=UsageSampler(engine, clock=clock),
        )
        self._shortages = Shortages(home.service / "shortages.json")
        self._scheduler = Scheduler(
            self._workshop,
            shortages=self._shortages,
            max_parallel_jobs=config.max_parallel_jobs,
            go_idle=self._touch,
            give_up=self._end_from_thread,
        )
        self._images = ImageOperations(engine, self._touch)
        self._executor = ThreadPoolExecutor(_BLOCKING_THREADS, thread_name_prefix="operation")
        self._verifier = Verifier(identity.keys, clock)
        self._instance = secrets.token_hex(16)
        self._keys = identity.keys
        self._ended = asyncio.Event()
        self._touched = time.monotonic()
        self._server = Server(self._make_edge)

    async def run(self, ready: Callable[[Discovery], None] = lambda discovery: None) -> None:
        """Serves until `end` is called or nobody has needed the service for long enough.

        Args:
            ready: Called when requests are answered.
        """
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._notifier.attach(loop)
        if self._s3 is not None:
            await loop.run_in_executor(self._executor, self._s3.start)
        self._server.start()
        self._scheduler.start()
        discovery = self._discovery(self._server.port)
        write_discovery(self._home, discovery)
        logger.info("Serving on port %d with the engine %s", discovery.port, self._workshop.engine.name)
        ready(discovery)
        # The start is no part of the time in which nobody asks: on a busy machine it takes long.
        self._touch()
        try:
            await self._wait_for_end()
        finally:
            self._forget_discovery()
            self._scheduler.close()
            await self._server.stop()
            self._notifier.attach(None)
            self._close()

    def end(self) -> None:
        """Ends `run` soon. On the loop's thread, or by a signal handler of the loop."""
        self._ended.set()

    def _end_from_thread(self) -> None:
        # Not at once: the answer to who asked for it still has to go out.
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.05, self.end)

    def _close(self) -> None:
        self._workshop.sampler.close()
        self._executor.shutdown(wait=False)
        self._access.close()
        if self._s3 is not None:
            self._s3.stop()
        # While jobs run their threads need the store; the process's end closes it.
        if self._scheduler.join(_LAST_WORK_S) and not any(self._scheduler.count_jobs()):
            self._store.close()

    def _discovery(self, port: int) -> Discovery:
        return Discovery(
            pid=os.getpid(),
            port=port,
            version=__version__,
            instance=self._instance,
            access_key=self._keys.access_key,
            secret_key=self._keys.secret_key,
            s3_endpoint_url=self._s3.address.endpoint_url if self._s3 else None,
        )

    def _find_s3_endpoint(self) -> str | None:
        return self._s3.address.endpoint_url if self._s3 else find_s3_endpoint()

    async def _wait_for_end(self) -> None:
        while not self._ended.is_set():
            remaining = self._remaining_idle_s()
            if remaining is not None and remaining <= 0:
                logger.info("Nobody has needed the service for %s s", self._config.idle_s)
                return
            try:
                await asyncio.wait_for(self._ended.wait(), remaining)
            except asyncio.TimeoutError:
                continue

    def _remaining_idle_s(self) -> float | None:
        if self._config.idle_s is None or self._s3 is not None:
            return None
        if any(self._scheduler.count_jobs()) or self._images.is_working():
            return self._config.idle_s
        return self._touched + self._config.idle_s - time.monotonic()

    def _touch(self) -> None:
        self._touched = time.monotonic()

    def _announce(self, name: str, record: JobRecord | None) -> None:
        topics = (name, ALL_JOBS, log_topic(name)) if record is None or record.is_terminal else (name, ALL_JOBS)
        self._notifier.announce(*topics)

    def _make_edge(self) -> Edge:
        own = OwnOperations(
            workshop=self._workshop,
            scheduler=self._scheduler,
            version=__version__,
            instance=self._instance,
            max_parallel_jobs=self._config.max_parallel_jobs,
            container_credentials=self._config.container_credentials,
            s3_endpoint_url=self._s3.address.endpoint_url if self._s3 else None,
            shut_down=self._end_from_thread,
        )
        operations = list_operations(
            JobOperations(self._workshop, self._scheduler),
            JobListing(self._workshop),
            SearchOperations(self._store),
            TagOperations(self._workshop),
            LogOperations(self._workshop),
            LogSearch(self._home.logs),
            MetricOperations(MetricSeries(self._home.logs, self._store)),
            CapacityOperations(self._workshop, self._scheduler, self._shortages),
            own,
            self._images,
        )
        return Edge(
            operations=operations,
            verifier=self._verifier,
            executor=self._executor,
            instance=self._instance,
            note_request=self._touch,
        )

    def _forget_discovery(self) -> None:
        found = read_discovery(self._home)
        if found is not None and found.instance == self._instance:
            discovery_path(self._home).unlink(missing_ok=True)


def load_identity(home: Home) -> Identity:
    """Reads the keys, or makes them at the first start."""
    path = home.service / "identity.json"
    if not path.exists():
        content = {
            "owner": secrets.token_hex(8),
            "access_key": LOCAL_KEY_PREFIX + secrets.token_hex(8).upper(),
            "secret_key": secrets.token_urlsafe(30),
        }
        write_private(path, json.dumps(content))
    content = json.loads(path.read_text())
    keys = Keys(access_key=content["access_key"], secret_key=content["secret_key"])
    return Identity(owner=content["owner"], keys=keys)
