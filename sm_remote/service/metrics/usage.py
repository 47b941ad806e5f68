"""What a job's containers use of this machine, sampled by one thread for all of them.

Source: SageMaker Developer Guide, "Monitor Amazon SageMaker AI with Amazon CloudWatch" (CPUUtilization is the sum over
the cores and GPUUtilization over the GPUs, so up to 100 times their number; MemoryUtilization, GPUMemoryUtilization,
DiskUtilization).
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sm_remote.service.engines.engine import ContainerUsage, EngineError, Mount
from sm_remote.service.metrics.series import Datapoint, SeriesWriter

logger = logging.getLogger("sm_remote.service")

USAGE_METRICS = ("CPUUtilization", "MemoryUtilization", "GPUUtilization", "GPUMemoryUtilization", "DiskUtilization")
"""In percent; a datapoint of a usage file names its metric by its place here."""
USAGE_SUFFIX = ".usage"
_CPU, _MEMORY, _GPU, _GPU_MEMORY, _DISK = range(len(USAGE_METRICS))
_INTERVAL_S = 5.0
_FIRST_INTERVAL_S = 1.0
_FIRST_SAMPLES = 10
"""A container's first samples are taken at a shorter interval: many a job is over soon."""
_GPU_TIMEOUT_S = 5.0


class ReadsUsage(Protocol):
    """The part of an engine that is needed here."""

    def read_usage(self, name: str) -> ContainerUsage | None:
        """See `sm_remote.service.engines.engine.Engine`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuUsage:
    """What one GPU does; percent."""

    busy: float
    memory: float


def read_gpus() -> dict[int, GpuUsage]:
    """Asks the driver for every GPU, by number; nothing where there is none to ask."""
    if shutil.which("nvidia-smi") is None:
        return {}
    query = "--query-gpu=index,utilization.gpu,memory.used,memory.total"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_GPU_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_gpus(done.stdout)


def parse_gpus(text: str) -> dict[int, GpuUsage]:
    """Reads number, percent busy, used and total memory of each line; one that the driver cannot tell is left out."""
    found = {}
    for line in text.splitlines():
        try:
            number, busy, used, total = (float(figure) for figure in line.split(","))
            found[int(number)] = GpuUsage(busy=busy, memory=100 * used / total)
        except (ValueError, ZeroDivisionError):
            continue
    return found


@dataclass(slots=True)
class _Watched:
    """One container that is sampled. CPU is a difference: the first sample is only its beginning."""

    container: str
    writer: SeriesWriter
    memory_bytes: int
    gpus: Sequence[int]
    disk: Path
    samples: int = 0
    due: float = 0.0
    cpu_s: float = 0.0
    sampled_at: float = 0.0


class UsageSampler:
    """Samples every container that it is told of, and writes what it finds beside the container's log.

    Args:
        engine: That runs the containers.
        clock: Seconds since the epoch.
        monotonic: Seconds of a clock that never jumps.
        gpus: Asks all GPUs.
    """

    def __init__(
        self,
        engine: ReadsUsage,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        gpus: Callable[[], Mapping[int, GpuUsage]] = read_gpus,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._monotonic = monotonic
        self._gpus = gpus
        self._watched: dict[str, _Watched] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, container: str, path: Path, *, memory_bytes: int, gpus: Sequence[int], disk: Path) -> None:
        """Samples a container from now on; returns at once.

        Args:
            container: Its name.
            path: Where its datapoints go.
            memory_bytes: What it may use.
            gpus: The numbers of the GPUs that it was given.
            disk: A directory on the disk that it writes to.
        """
        watched = _Watched(
            container=container,
            writer=SeriesWriter(path, from_start=False),
            memory_bytes=memory_bytes,
            gpus=gpus,
            disk=disk,
        )
        with self._changed:
            if container in self._watched or self._closed:
                watched.writer.close()
                return
            self._watched[container] = watched
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def forget(self, container: str) -> None:
        """Samples a container no more; harmless when repeated."""
        with self._changed:
            watched = self._watched.pop(container, None)
        if watched is not None:
            watched.writer.close()

    def close(self) -> None:
        """Samples nothing any more."""
        with self._changed:
            watched, self._watched = self._watched, {}
            self._closed = True
            self._changed.notify_all()
        for each in watched.values():
            each.writer.close()

    def sample_due(self) -> None:
        """Samples each container whose time has come. Called by the sampler's own thread."""
        now = self._monotonic()
        with self._changed:
            due = [watched for watched in self._watched.values() if watched.due <= now]
        gpus = self._gpus() if any(watched.gpus for watched in due) else {}
        for watched in due:
            self._sample(watched, gpus)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._watched or self._closed)
                if self._closed:
                    return
                now = self._monotonic()
                soonest = min(watched.due for watched in self._watched.values())
                if soonest > now:
                    self._changed.wait(soonest - now)
                    continue
            self.sample_due()

    def _sample(self, watched: _Watched, gpus: Mapping[int, GpuUsage]) -> None:
        now = self._monotonic()
        first = watched.samples < _FIRST_SAMPLES
        watched.due = now + (_FIRST_INTERVAL_S if first else _INTERVAL_S)
        try:
            usage = self._engine.read_usage(watched.container)
        except (EngineError, OSError) as error:
            logger.debug("No usage of %s: %s", watched.container, error)
            return
        if usage is None:
            return
        elapsed_s = now - watched.sampled_at
        values: dict[int, float] = {_MEMORY: 100 * usage.memory_bytes / max(1, watched.memory_bytes)}
        if watched.samples and elapsed_s > 0:
            values[_CPU] = max(0.0, 100 * (usage.cpu_s - watched.cpu_s) / elapsed_s)
        own = [gpus[number] for number in watched.gpus if number in gpus]
        if own:
            values |= {_GPU: sum(gpu.busy for gpu in own), _GPU_MEMORY: sum(gpu.memory for gpu in own)}
        values |= _read_disk(watched.disk)
        watched.samples += 1
        watched.cpu_s, watched.sampled_at = usage.cpu_s, now
        timestamp_ms = int(self._clock() * 1000)
        watched.writer.append([Datapoint(metric, timestamp_ms, value) for metric, value in sorted(values.items())])


def _read_disk(directory: Path) -> dict[int, float]:
    try:
        found = shutil.disk_usage(directory)
    except OSError:
        return {}
    return {_DISK: 100 * found.used / max(1, found.total)}


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageCompanion:
    """Has one host's container sampled while it runs; see `sm_remote.service.hosts.companions.Companion`."""

    sampler: UsageSampler
    container: str
    path: Path
    memory_bytes: int
    gpus: Sequence[int]
    disk: Path
    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, go_on: Callable[[], None]) -> None:
        """Nothing has to be there."""

    def start(self) -> None:
        """See the protocol."""
        self.sampler.watch(self.container, self.path, memory_bytes=self.memory_bytes, gpus=self.gpus, disk=self.disk)

    def finish(self) -> None:
        """See the protocol."""
        self.sampler.forget(self.container)
