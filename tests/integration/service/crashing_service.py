"""The real service process with the detached engine; dies by SIGKILL where ``SMR_CRASH=<point>[:nth]`` says."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from sm_remote.service.__main__ import main
from sm_remote.service.hosts.capacity import Capacity
from tests.fakes.detached_engine import DetachedEngine


class Crash:
    """Counts how often a point was reached."""

    def __init__(self, where: str) -> None:
        self._point, _, times = where.partition(":")
        self._left = int(times or 1)

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    code = main(
        open_engine=lambda choice, home: DetachedEngine(Path(os.environ["SMR_CONTAINERS"])),
        measure_host=lambda: Capacity(cpus=8.0, memory_bytes=64 << 30, gpus=0),
        reach=Crash(os.environ.get("SMR_CRASH", "")),
    )
    sys.stderr.flush()
    os._exit(code)
