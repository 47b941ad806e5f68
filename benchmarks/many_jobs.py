"""Many jobs at once: how many API calls do they take, and does their rate grow with the number of jobs?

``map`` submits 10, 50 and 100 empty jobs at once to the process engine, which runs as many as fit. Submitting costs one
CreateTrainingJob a job and collecting one DescribeTrainingJob and a look at the log's end; waiting (ListTrainingJobs)
must not cost more the more jobs there are.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from typing import Any

from measure import describe_machine, show_figure, state_of_its_own

from sm_remote import remote
from sm_remote.jobs.attach import connect_with
from sm_remote.settings import resolve_settings

SIZES = (10, 50, 100)
POLLS = ("ListTrainingJobs",)


@remote(instance_type="ml.m5.large")
def double(number: int) -> int:
    """Small, but a job of its own."""
    return 2 * number


class Counted:
    """Counts the API calls of this process's connection by operation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        session = connect_with(resolve_settings({})).training_jobs.session
        for service in ("sagemaker", "logs"):
            session.client(service).meta.events.register(f"before-call.{service}", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        with self._lock:
            self._calls[model.name] += 1

    def take(self) -> Counter[str]:
        with self._lock:
            taken, self._calls = self._calls, Counter()
        return taken


def main() -> None:
    print(describe_machine())
    with state_of_its_own("process"):
        counted = Counted()
        double.map(range(4))
        polls_per_second: dict[int, float] = {}
        calls_per_second: dict[int, float] = {}
        print("\n  jobs   wall s   jobs/s   polls   polls/s   API calls   calls/s   threads at most")
        for size in SIZES:
            counted.take()
            peak, stop = [0], threading.Event()

            def watch_threads(peak: list[int] = peak, stop: threading.Event = stop) -> None:
                while not stop.wait(0.02):
                    peak[0] = max(peak[0], threading.active_count())

            watcher = threading.Thread(target=watch_threads)
            watcher.start()
            began = time.perf_counter()
            values = double.map(range(size), max_parallel_jobs=size)
            wall = time.perf_counter() - began
            stop.set()
            watcher.join()
            if values != [2 * number for number in range(size)]:
                raise AssertionError("wrong values")
            calls = counted.take()
            polls = sum(calls[name] for name in POLLS)
            total = sum(calls.values())
            polls_per_second[size], calls_per_second[size] = polls / wall, total / wall
            print(
                f"  {size:4}   {wall:6.1f}   {size / wall:6.1f}   {polls:5}   {polls / wall:7.1f}   {total:9}   "
                f"{total / wall:7.1f}   {peak[0]:15}"
            )
            print("         " + ", ".join(f"{name} {count}" for name, count in sorted(calls.items())), flush=True)
    smallest, largest = SIZES[0], SIZES[-1]
    for title, rates in (("polls", polls_per_second), ("all API calls", calls_per_second)):
        growth = rates[largest] / rates[smallest]
        show_figure(f"{title} per second, {largest} jobs / {smallest} jobs", growth, 1.5, "x")


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
