"""Starts and kills the real service process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sm_remote.home import Discovery, Home, read_discovery
from tests.fakes.service import wait_until

ROOT = Path(__file__).parents[3]


class ServiceProcess:
    """The service of one home, started and killed as a test likes."""

    def __init__(self, home: Home, containers: Path) -> None:
        self.home = home
        self.containers = containers
        self.process: subprocess.Popen[bytes] | None = None
        self.log = home.data.parent / f"{home.data.name}.log"

    def start(self, *, wait: bool = True, **environ: str) -> Discovery:
        self.home.data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.service.crashing_service"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "SM_REMOTE_HOME": str(self.home.data),
                    "SMR_CONTAINERS": str(self.containers),
                    "SM_REMOTE_STOP_GRACE_S": "2",
                    **environ,
                },
                stdout=log,
                stderr=log,
            )
        process = self.process

        def find() -> Discovery | bool:
            found = read_discovery(self.home)
            return found if found is not None and found.pid == process.pid else process.poll() is not None

        found = wait_until(find) if wait else None
        assert not wait or isinstance(found, Discovery), self.log.read_text()
        return found

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(120)

    def wait_for_death(self) -> int:
        assert self.process is not None
        return self.process.wait(120)


@pytest.fixture
def home(tmp_path):
    """A home that no other test's service runs on."""
    return Home(data=tmp_path / "home", cache=tmp_path / "home" / "cache")


@pytest.fixture
def service(home, tmp_path):
    started = ServiceProcess(home, tmp_path / "containers")
    yield started
    if started.process is not None and started.process.poll() is None:
        started.kill()
