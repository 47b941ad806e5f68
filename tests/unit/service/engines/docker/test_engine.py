"""What a daemon that goes away does to calls is an error of an engine, which no caller takes for the job's."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests
from docker.errors import APIError

from sm_remote.home import Home
from sm_remote.service.engines.docker.engine import DockerEngine
from sm_remote.service.engines.engine import EngineError


class VanishingDaemon:
    """Answers what an engine asks first, and nothing afterwards."""

    def info(self) -> dict[str, Any]:
        return {"NCPU": 2, "MemTotal": 1 << 30}

    def networks(self) -> list[Any]:
        return []

    def remove_container(self, *_: Any, **__: Any) -> None:
        raise requests.ConnectionError("refused")


def test_a_container_that_no_daemon_removes_is_an_error_of_the_engine(home: Home) -> None:
    engine = DockerEngine(VanishingDaemon(), home)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="smr-a cannot be removed: refused"):
        engine.remove("smr-a")


class RestartingDaemon(VanishingDaemon):
    """Takes a SIGTERM, restarts during the grace, and answers again after some calls."""

    def __init__(self, failures: list[Exception]) -> None:
        self.failures = failures
        self.signals: list[str] = []

    def wait(self, name: str, timeout: float) -> None:
        raise requests.ConnectionError("the daemon restarts")

    def kill(self, name: str, signal: str) -> None:
        if signal == "SIGKILL" and self.failures:
            raise self.failures.pop()
        self.signals.append(signal)


def refuse(status: int) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError("refused", response=response)


def stop_and_wait(daemon: RestartingDaemon, home: Home) -> None:
    engine = DockerEngine(daemon, home, sleep=lambda s: None)  # type: ignore[arg-type]
    engine.stop("smr-a", 0.01)
    for thread in threading.enumerate():
        if thread.name == "stop smr-a":
            thread.join(120)


def test_a_container_is_killed_also_when_the_daemon_restarts_during_its_grace(home: Home) -> None:
    daemon = RestartingDaemon([refuse(503), requests.ConnectionError("refused"), requests.ConnectionError("refused")])
    stop_and_wait(daemon, home)
    assert daemon.signals == ["SIGTERM", "SIGKILL"]


def test_a_container_that_is_gone_is_not_killed_again(home: Home) -> None:
    daemon = RestartingDaemon([requests.ConnectionError("a call too many"), refuse(404)])
    stop_and_wait(daemon, home)
    assert daemon.signals == ["SIGTERM"]
    assert len(daemon.failures) == 1
