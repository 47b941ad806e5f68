"""What a warm pool saves: an empty call on a container that waits for it, against one in a cold container.

One after the other, not in turns: a kept pool would hold the machine that a cold container needs. A warm call begins
when its pool holds a container ready, as a person's next call does.
"""

from __future__ import annotations

import time

from measure import describe_machine, show_ratio, show_times, state_of_its_own
from noop import quietly

from sm_remote import remote
from sm_remote.home import find_home

ROUNDS = 15


@remote(instance_type="ml.m5.large", engine="docker")
def nothing() -> None:
    """Returns at once."""


def wait_until_ready() -> None:
    """Waits for the container that the pool holds ready."""
    deadline = time.monotonic() + 30
    while not list(find_home().pools.glob("*/standby/*/standby.json")):
        if time.monotonic() > deadline:
            raise RuntimeError("the pool holds no container ready")
        time.sleep(0.005)


def main() -> None:
    describe_machine()
    warm = nothing.options(keep_alive_period_in_seconds=600)
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    with state_of_its_own("docker"):
        quietly(nothing)()
        for _ in range(ROUNDS):
            began = time.perf_counter()
            quietly(nothing)()
            times["cold"].append(time.perf_counter() - began)
        quietly(warm)()
        for _ in range(ROUNDS):
            wait_until_ready()
            began = time.perf_counter()
            quietly(warm)()
            times["warm"].append(time.perf_counter() - began)
    show_times("An empty call", times)
    show_ratio("warm pool / cold container", times["warm"], times["cold"], goal=0.7)


if __name__ == "__main__":
    main()
