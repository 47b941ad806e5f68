"""A large array there and back, against dask.distributed in the same run.

Each round makes a new array of random float64 (so that nothing is known from before), sends it to a function that
returns another of the same size, and takes the result. dask: one worker process on this machine, the array given
directly to `submit`, or scattered first, whichever is faster. sm_remote: a local container, every digest verified.

Also: what hashing alone would take; the client's peak extra anonymous memory (RssAnon) during a call; and how many
bytes a second call with the same array adds to the store.
"""

from __future__ import annotations

import gc
import shutil
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import describe_machine, show_figure, show_ratio, show_times, state_of_its_own, take_turns

from sm_remote import remote
from sm_remote.wire.digest import digest_bytes

SIZE_BYTES = 1 << 30
ROUNDS = 5
PASSES = 4
"""Argument: written, then verified in the job. Result: written, then verified here."""


def add_one(array: np.ndarray) -> np.ndarray:
    """Another array of the same size."""
    return array + 1


def total(array: np.ndarray) -> float:
    """Looks at all of it and returns little."""
    return float(array.sum())


def make_array(size_bytes: int = SIZE_BYTES) -> np.ndarray:
    return np.random.default_rng().random(size_bytes // 8)


class AnonymousMemory:
    """Samples this process's RssAnon while a block runs; ``extra_bytes`` is its peak above the start."""

    def __enter__(self) -> AnonymousMemory:
        gc.collect()
        self._before = self._peak = self._read()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.extra_bytes = self._peak - self._before

    def _sample(self) -> None:
        while not self._done.wait(0.005):
            self._peak = max(self._peak, self._read())

    def _read(self) -> int:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise OSError("this kernel does not report RssAnon")


def measure_uploads(home: Path) -> int:
    """Bytes of what clients put into the embedded store; what jobs left lies under ``jobs``."""
    objects = (path for path in (home / "store").rglob("*") if path.is_file() and "jobs" not in path.parts)
    return sum(path.stat().st_size for path in objects)


def forget_payloads(home: Path) -> None:
    """Drops large objects of earlier rounds, so that the disk's cache holds the present one."""
    for path in (home / "store").rglob("*"):
        if path.is_file() and path.stat().st_size >= SIZE_BYTES // 2:
            path.unlink()
    shutil.rmtree(home / "cache", ignore_errors=True)


def compare(home: Path) -> dict[str, list[float]]:
    from dask.distributed import Client, LocalCluster

    warnings.filterwarnings("ignore", message="Sending large graph")
    # Made before the clock starts; one for each candidate and round.
    arrays: dict[str, np.ndarray] = {}

    def timed(name: str, call: Callable[[np.ndarray], np.ndarray]) -> Callable[[], None]:
        def candidate() -> None:
            array = arrays.pop(name)
            result = call(array)
            if result[-1] != array[-1] + 1:
                raise AssertionError(f"{name} returned something else")

        return candidate

    ours = remote(instance_type="ml.m5.large", stream_logs=False)(add_one)
    cluster = LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None, memory_limit=0)
    with cluster, Client(cluster) as client:

        def submit(array: np.ndarray) -> np.ndarray:
            return client.submit(add_one, array, pure=False).result()

        def scatter(array: np.ndarray) -> np.ndarray:
            return client.submit(add_one, client.scatter(array, hash=False), pure=False).result()

        calls = {"dask, submit": submit, "dask, scatter": scatter, "sm_remote, container": ours}
        for call in calls.values():
            call(make_array(SIZE_BYTES // 16))
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            forget_payloads(home)
            arrays.update({name: make_array() for name in calls})
            one_round = take_turns({name: timed(name, call) for name, call in calls.items()}, rounds=1, warm_ups=0)
            for name, values in one_round.items():
                times[name] += values
    return times


def measure_hashing() -> float:
    """The best of several passes over such an array, in seconds."""
    array = make_array()
    view = memoryview(array).cast("B")
    digest_bytes(view)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        digest_bytes(view)
        took.append(time.perf_counter() - began)
    return min(took)


def measure_memory_and_uploads(home: Path) -> None:
    forget_payloads(home)
    array = make_array()
    there_and_back = remote(instance_type="ml.m5.large", stream_logs=False)(add_one)
    with AnonymousMemory() as memory:
        result = there_and_back(array)
    show_figure("peak extra anonymous memory / array", memory.extra_bytes / array.nbytes, 0.2, "x")
    del result
    summed = remote(instance_type="ml.m5.large", stream_logs=False)(total)
    first = summed.submit(array)
    first.result()
    before = measure_uploads(home)
    began = time.perf_counter()
    second = summed.submit(array)
    submitted = time.perf_counter() - began
    uploaded = measure_uploads(home) - before
    second.result()
    print(f"  a second call with the same array: submitted in {submitted:.2f} s (it is hashed, not sent)")
    show_figure("bytes that it uploaded", uploaded, 0, "bytes")


def main() -> None:
    print(describe_machine())
    with state_of_its_own("docker") as home:
        times = compare(home)
        title = f"{SIZE_BYTES / 2**30:g} GiB of float64 there and back"
        show_times(title, times)
        faster = min(("dask, submit", "dask, scatter"), key=lambda name: statistics.median(times[name]))
        ours = times["sm_remote, container"]
        show_ratio(f"sm_remote / {faster}", ours, times[faster], goal=2.0)
        hashing = measure_hashing()
        share = PASSES * hashing / min(ours)
        print(
            f"  hashing 1 GiB once: {hashing:.2f} s; {PASSES} passes are at most {100 * share:.0f} % of its best call "
            "(two of them run while the data is written)"
        )
        measure_memory_and_uploads(home)


if __name__ == "__main__":
    sys.exit(main())
