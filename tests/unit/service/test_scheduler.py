"""Trouble of the service's own ends no job: it is taken up again from where it stands."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sm_remote.home import Home, make_private
from sm_remote.service import scheduler as module
from sm_remote.service.capacity import Capacity
from sm_remote.service.container_access import ContainerAccess
from sm_remote.service.notifier import Notifier
from sm_remote.service.records import JobRecord
from sm_remote.service.scheduler import Scheduler
from sm_remote.service.shortages import Shortages
from sm_remote.service.store import JobStore
from sm_remote.service.usage import UsageSampler
from sm_remote.service.workshop import Workshop
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request

HOST = Capacity(cpus=4.0, memory_bytes=16 << 30, gpus=0)


class FullDisk(JobStore):
    """Fails to read a job as often as it is told."""

    failures = 0

    def find(self, name: str) -> JobRecord:
        if self.failures:
            self.failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return super().find(name)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = FullDisk(tmp_path / "jobs.sqlite", lambda name, record: None)
    yield store
    store.close()


def test_a_job_that_cannot_be_read_again_and_again_runs_once_it_can(
    home: Home, store: FullDisk, buckets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    for directory in (home.data, home.jobs, home.logs):
        make_private(directory)
    idle = threading.Event()
    engine = FakeEngine()
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
        go_idle=idle.set,
        give_up=lambda: None,
    )
    record = store.insert("fit-1", build_request(), {}, time.time())
    store.failures = 4
    scheduler.start()
    scheduler.enqueue(record)
    try:
        assert idle.wait(10)
    finally:
        shop.sampler.close()
        scheduler.close()
        assert scheduler.join(10)
    assert store.find("fit-1").is_terminal
    assert len(engine.starts) == 1
