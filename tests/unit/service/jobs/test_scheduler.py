"""Trouble of the service's own ends no job: it is taken up again from where it stands."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sm_remote.home import Home, make_private
from sm_remote.service.hosts.capacity import Capacity
from sm_remote.service.hosts.container_access import ContainerAccess
from sm_remote.service.jobs import scheduler as module
from sm_remote.service.jobs.notifier import Notifier
from sm_remote.service.jobs.scheduler import Scheduler
from sm_remote.service.jobs.shortages import Effect, Market, Shortage, Shortages
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.metrics.usage import UsageSampler
from sm_remote.service.records.job import JobRecord, Phase
from sm_remote.service.records.store import JobStore, NoSuchJobError
from sm_remote.spec import SecondaryStatus
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, wait_until

HOST = Capacity(cpus=4.0, memory_bytes=16 << 30, gpus=0)


class FullDisk(JobStore):
    """Fails to read a job as often as it is told."""

    failures = 0

    def find(self, name: str) -> JobRecord:
        if self.failures:
            self.failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().find(name)


class Slow(JobStore):
    """Takes until it is told to go on, to find a job that is cleaned up already."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lambda name, record: None)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def find(self, name: str) -> JobRecord:
        record = super().find(name)
        if record.cleaned and threading.current_thread().name == f"job {name}":
            self.asked.set()
            assert self.go_on.wait(120)
        return record


class Unclaimed(JobStore):
    """Fails to change a job as often as it is told."""

    failures = 0

    def change(self, name: str, function: Callable[[JobRecord], JobRecord], now: float) -> JobRecord:
        if self.failures and self.find(name).phase is Phase.QUEUED:
            self.failures -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return super().change(name, function, now)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = FullDisk(tmp_path / "jobs.sqlite", lambda name, record: None)
    yield store
    store.close()


@pytest.fixture
def run(home: Home, buckets: Any, tmp_path: Path) -> Any:
    """Makes a scheduler of a store and an engine, and ends it."""
    opened: list[tuple[Scheduler, Workshop]] = []

    def make(store: JobStore, engine: FakeEngine, go_idle: Any = lambda: None) -> Scheduler:
        for directory in (home.data, home.jobs, home.logs):
            make_private(directory)
        shop = Workshop(
            sampler=UsageSampler(engine),
            home=home,
            store=store,
            engine=engine,
            buckets=buckets,
            access=ContainerAccess(home=home, engine=engine, grant=None, find_endpoint=lambda: None),
            notifier=Notifier(),
            host=HOST,
            owner="me",
            clock=time.time,
            stop_grace_s=1.0,
            interruption_grace_s=1.0,
            reach=lambda point: None,
        )
        scheduler = Scheduler(
            shop,
            shortages=Shortages(tmp_path / "shortages.json"),
            max_parallel_jobs=None,
            go_idle=go_idle,
            give_up=lambda: None,
        )
        opened.append((scheduler, shop))
        scheduler.start()
        return scheduler

    yield make
    for scheduler, shop in opened:
        shop.sampler.close()
        scheduler.close()
        assert scheduler.join(120)


def test_a_job_that_cannot_be_read_again_and_again_runs_once_it_can(
    run: Any, store: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    idle = threading.Event()
    engine = FakeEngine()
    record = store.insert("fit-1", build_request(), {}, time.time())
    store.failures = 4
    run(store, engine, idle.set).enqueue(record)
    assert idle.wait(120)
    assert store.find("fit-1").is_terminal
    assert len(engine.starts) == 1


def test_whoever_joins_waits_until_the_last_thread_is_done_with_the_store(run: Any, tmp_path: Path) -> None:
    store = Slow(tmp_path / "slow.sqlite")
    scheduler = run(store, FakeEngine())
    try:
        scheduler.enqueue(store.insert("fit-1", build_request(), {}, time.time()))
        assert store.asked.wait(120)
        scheduler.close()
        assert not scheduler.join(0.2)
        store.go_on.set()
        assert scheduler.join(120)
    finally:
        store.go_on.set()
        assert scheduler.join(120)
        store.close()


def test_a_job_without_capacity_fails_even_if_that_cannot_be_written_at_once(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    idle = threading.Event()
    store = Unclaimed(tmp_path / "unclaimed.sqlite", lambda name, record: None)
    store.insert("fit-1", build_request(), {}, time.time())
    store.failures = 2
    engine = FakeEngine()
    short = Shortage(instance_type="ml.m5.large", market=Market.ANY, effect=Effect.ERROR)
    Shortages(tmp_path / "shortages.json").set(short)
    scheduler = run(store, engine, idle.set)
    try:
        assert idle.wait(120)
        assert "CapacityError" in (store.find("fit-1").failure_reason or "")
        assert not engine.starts
        assert scheduler.count_jobs() == (0, 0)
    finally:
        scheduler.close()
        assert scheduler.join(120)
        store.close()


def test_a_job_that_comes_while_another_is_said_to_wait_is_said_to_wait_too(run: Any, tmp_path: Path) -> None:
    go = threading.Event()
    whole = {"ResourceConfig": {"InstanceType": "ml.m5.xlarge"}}

    def come(name: str, record: JobRecord | None) -> None:
        if name == "second" and record is not None and record.state.secondary is SecondaryStatus.PENDING:
            scheduler.enqueue(store.insert("third", build_request("third", **whole), {}, time.time()))

    store = JobStore(tmp_path / "three.sqlite", come)
    scheduler = run(store, FakeEngine(lambda container: int(not go.wait(120))))
    try:
        for name in ("first", "second"):
            scheduler.enqueue(store.insert(name, build_request(name, **whole), {}, time.time()))
        wait_until(lambda: _is_pending(store, "third"))
        go.set()
        wait_until(lambda: store.find("third").is_terminal)
    finally:
        go.set()
        scheduler.close()
        assert scheduler.join(120)
        store.close()


def _is_pending(store: JobStore, name: str) -> bool:
    try:
        return store.find(name).state.secondary is SecondaryStatus.PENDING
    except NoSuchJobError:
        return False
