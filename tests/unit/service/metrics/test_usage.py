"""What containers use, sampled."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from sm_remote.service.engines.docker.usage import read_docker_usage
from sm_remote.service.engines.engine import ContainerUsage, EngineError
from sm_remote.service.engines.process.usage import read_process_usage
from sm_remote.service.metrics.series import read_series
from sm_remote.service.metrics.usage import USAGE_METRICS, GpuUsage, UsageSampler, parse_gpus
from tests.fakes.service import wait_until

GIB = 1 << 30
GPUS = {number: GpuUsage(busy=30.0 * number, memory=25.0 * min(number, 2)) for number in range(4)}


class Engine:
    """Each look finds another second of CPU time."""

    def __init__(self) -> None:
        self.looks: list[str] = []
        self.failure: Exception | None = None

    def read_usage(self, name: str) -> ContainerUsage | None:
        self.looks.append(name)
        if self.failure:
            raise self.failure
        return ContainerUsage(cpu_s=float(len(self.looks)), memory_bytes=GIB)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def clock() -> Clock:
    return Clock()


class ByHand(UsageSampler):
    """Samples when the test says so."""

    def _run(self) -> None:
        return


@pytest.fixture
def sampler(engine, clock):
    return ByHand(engine, clock=clock, monotonic=clock, gpus=lambda: GPUS)


def watch(sampler, path, container="c", **options) -> None:
    sampler.watch(container, path, **{"memory_bytes": 4 * GIB, "gpus": (), "disk": path.parent, **options})


def values(path) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for point in read_series(path):
        found.setdefault(USAGE_METRICS[point.metric], []).append(point.value)
    return found


def test_cpu_memory_and_disk_are_in_percent(sampler, clock, tmp_path):
    path = tmp_path / "a.usage"
    watch(sampler, path)
    for _ in range(3):
        sampler.sample_due()
        clock.now += 2.0
    found = values(path)
    assert found["CPUUtilization"] == [50.0, 50.0]
    assert found["MemoryUtilization"] == [25.0] * 3
    assert all(0 < value <= 100 for value in found["DiskUtilization"])
    assert set(found) == {"CPUUtilization", "MemoryUtilization", "DiskUtilization"}


def test_gpus_are_asked_for_containers_that_have_some(sampler, tmp_path):
    watch(sampler, tmp_path / "a.usage", gpus=(1, 3))
    sampler.sample_due()
    assert values(tmp_path / "a.usage")["GPUUtilization"] == [120.0]
    assert values(tmp_path / "a.usage")["GPUMemoryUtilization"] == [75.0]


def test_what_the_driver_says_of_each_gpu_is_read():
    text = "0, 90, 10000, 40000\n1, [N/A], 0, 40000\n2, 5, 0, 0\n"
    assert parse_gpus(text) == {0: GpuUsage(busy=90.0, memory=25.0)}
    assert parse_gpus("No devices were found\n") == {}


def test_a_young_container_is_sampled_every_second_and_later_every_five(sampler, engine, clock, tmp_path):
    watch(sampler, tmp_path / "a.usage")
    for _ in range(60):
        sampler.sample_due()
        clock.now += 1.0
    assert len(engine.looks) == 10 + 50 // 5


def test_a_container_that_has_ended_is_sampled_no_more(sampler, engine, tmp_path):
    watch(sampler, tmp_path / "a.usage")
    watch(sampler, tmp_path / "a.usage")
    sampler.forget("c")
    sampler.forget("c")
    sampler.sample_due()
    assert engine.looks == []


def test_an_engine_that_does_not_answer_costs_a_sample(sampler, engine, clock, tmp_path):
    watch(sampler, tmp_path / "a.usage")
    engine.failure = EngineError("the daemon restarts")
    sampler.sample_due()
    engine.failure = None
    clock.now += 1.0
    sampler.sample_due()
    assert values(tmp_path / "a.usage")["MemoryUtilization"] == [25.0]


def test_one_thread_samples_all(engine, tmp_path):
    before = set(threading.enumerate())
    sampler = UsageSampler(engine, gpus=dict)
    watch(sampler, tmp_path / "a.usage", "a")
    watch(sampler, tmp_path / "b.usage", "b")
    wait_until(lambda: {"a", "b"} <= set(engine.looks))
    (thread,) = set(threading.enumerate()) - before
    sampler.close()
    thread.join(120)
    assert not thread.is_alive()


def test_docker_memory_is_without_what_the_kernel_may_drop():
    stats = {
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
        "memory_stats": {"usage": 1000, "stats": {"inactive_file": 400}},
    }
    assert read_docker_usage(stats) == ContainerUsage(cpu_s=2.5, memory_bytes=600)


def test_a_docker_container_that_has_ended_uses_nothing():
    assert read_docker_usage({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}) is None


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc, which Linux alone has")
def test_a_process_counts_with_all_that_it_started():
    child = "b = b'x' * 60_000_000; print(1, flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        usage = read_process_usage(process.pid)
        assert usage is not None
        assert usage.memory_bytes > 60_000_000
        assert usage.cpu_s > 0
    finally:
        process.communicate(b"\n")
    assert read_process_usage(process.pid) is None
