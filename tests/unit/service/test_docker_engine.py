"""What a daemon that goes away does to calls is an error of an engine, which no caller takes for the job's."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sm_remote.home import Home
from sm_remote.service.docker_engine import DockerEngine
from sm_remote.service.engine import EngineError


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
