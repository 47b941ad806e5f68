"""Chooses the container engine, and says how much of this machine jobs may have."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

from sm_remote.errors import ConfigError, EngineUnavailable
from sm_remote.home import Home
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.service.engines.docker.engine import DockerEngine
from sm_remote.service.engines.engine import Engine
from sm_remote.service.engines.process.engine import ProcessEngine
from sm_remote.service.engines.process.sandbox import probe_bubblewrap

logger = logging.getLogger("sm_remote.service")

CHOICES = ("auto", "docker", "process")


def open_engine(choice: str, home: Home, environ: Mapping[str, str] | None = None) -> Engine:
    """Opens the engine that was chosen; ``auto`` takes Docker when it answers within two seconds.

    Raises:
        ConfigError: There is no such choice.
        EngineUnavailable: Docker was asked for and does not answer; the text has the command that mends it.
    """
    if choice not in CHOICES:
        raise ConfigError(f"{choice!r} is no container engine.", fix=f"Choose one of {', '.join(CHOICES)}.")
    if choice == "process":
        return ProcessEngine(home, bubblewrap=probe_bubblewrap())
    try:
        return DockerEngine(connect_docker(os.environ if environ is None else environ), home)
    except EngineUnavailable as error:
        if choice == "docker":
            raise
        logger.info("Docker does not answer: %s", error.why)
        return ProcessEngine(home, bubblewrap=probe_bubblewrap(), note="Docker does not answer: see `sm-remote doctor`")


def host_resources() -> tuple[float, int, int]:
    """Tells how many CPUs, bytes of memory and GPUs this machine has for jobs."""
    return _count_cpus(), _read_memory(), count_gpus()


def _count_cpus() -> float:
    if hasattr(os, "sched_getaffinity"):
        return float(len(os.sched_getaffinity(0)))
    return float(os.cpu_count() or 1)


def _read_memory(cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """The machine's memory, or less where this process itself runs in a container with a limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in (cgroups / "memory.max", cgroups / "memory" / "memory.limit_in_bytes"):
        try:
            total = min(total, int(file.read_text()))
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
    return total


def count_gpus(devices: Path = Path("/dev")) -> int:
    """Counts NVIDIA GPUs by their device files."""
    try:
        return sum(1 for entry in devices.iterdir() if re.fullmatch(r"nvidia\d+", entry.name))
    except OSError:
        return 0
