"""How every benchmark here measures: candidates in shuffled order, each warmed up, medians, and ratios of one run.

Absolute times depend on the machine and on what else it does; ratios of candidates that took turns do so much less.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sm_remote.aws.local_service import find_service, stop_service
from sm_remote.home import find_home

Candidate = Callable[[], object]

_draw = random.Random(0)


def describe_machine() -> str:
    """One line on the machine and on how busy it is."""
    load = os.getloadavg()[0]
    cpus = os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cpus} CPUs, Python {platform.python_version()}, load {load:.1f}"


def take_turns(candidates: Mapping[str, Candidate], *, rounds: int, warm_ups: int = 1) -> dict[str, list[float]]:
    """Runs every candidate once a round, in an order drawn for each round.

    Returns:
        Seconds of each round, by candidate; the warm-up rounds are left out.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for index in range(warm_ups + rounds):
        for name in _draw.sample(list(candidates), len(candidates)):
            began = time.perf_counter()
            candidates[name]()
            if index >= warm_ups:
                times[name].append(time.perf_counter() - began)
    return times


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def show_times(title: str, times: Mapping[str, Sequence[float]]) -> None:
    """Prints median, best and worst of each candidate in milliseconds."""
    width = max(len(name) for name in times)
    print(f"\n{title}\n  {'':{width}}  median     min     max  ms")
    for name, values in times.items():
        middle, best, worst = (1000 * value for value in (statistics.median(values), min(values), max(values)))
        print(f"  {name:{width}}  {middle:6.0f}  {best:6.0f}  {worst:6.0f}")


def show_ratio(title: str, ours: Sequence[float], theirs: Sequence[float], *, goal: float) -> None:
    """Prints the ratio of two medians, whether it reaches what was aimed at, and that of the best of each.

    On a busy machine the best are the fairer comparison: they are what each takes when nothing is in the way.
    """
    show_figure(title, statistics.median(ours) / statistics.median(theirs), goal, "x")
    print(f"    the best of each: {min(ours) / min(theirs):.3g} x", flush=True)


def show_figure(title: str, value: float, goal: float, unit: str) -> None:
    """Prints a figure that should be at most ``goal``."""
    verdict = "reached" if value <= goal else "MISSED"
    print(f"  {title}: {value:.3g} {unit} (goal: at most {goal:g}; {verdict})", flush=True)


def stop_running_service() -> None:
    """Ends the local training service of the present state directory, if one runs."""
    home = find_home()
    found = find_service(home)
    if found is not None:
        stop_service(home, found[0])


@contextmanager
def state_of_its_own(engine: str) -> Iterator[Path]:
    """A fresh state directory with a local training service of the wanted engine, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="sm_remote-bench-", ignore_cleanup_errors=True) as directory:
        before = {name: os.environ.get(name) for name in ("SM_REMOTE_HOME", "SM_REMOTE_ENGINE", "SM_REMOTE_TARGET")}
        os.environ |= {"SM_REMOTE_HOME": directory, "SM_REMOTE_ENGINE": engine, "SM_REMOTE_TARGET": "local"}
        try:
            yield Path(directory)
        finally:
            stop_running_service()
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
