"""What a call costs that does nothing, against the least that a container, or a fresh interpreter, costs.

Docker engine: a blocking call of an empty function, each in a container of its own, against ``docker run --rm`` of
``python3 -c pass`` on the same image; with and without network, like for like. Process engine: the same call against a
fresh interpreter of this environment that imports cloudpickle.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
from collections.abc import Callable

from measure import describe_machine, show_ratio, show_times, state_of_its_own, take_turns

from sm_remote import remote

ROUNDS = 15


@remote(instance_type="ml.m5.large")
def nothing() -> None:
    """Returns at once."""


def run_bare(image: str, network: str) -> None:
    """Runs ``python3 -c pass`` in a container, through the docker program or else its SDK."""
    if shutil.which("docker"):
        command = ["docker", "run", "--rm", "--network", network, "--entrypoint", "python3", image, "-c", "pass"]
        subprocess.run(command, check=True)
        return
    import docker

    client = docker.from_env()
    client.containers.run(image, ["-c", "pass"], entrypoint="python3", remove=True, network_mode=network)
    client.close()


def quietly(call: Callable[[], None]) -> Callable[[], None]:
    """The call as people make it, its log streamed, but not onto this benchmark's own lines."""

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            call()

    return run


def measure_docker() -> None:
    with state_of_its_own("docker"):
        first = nothing.submit()
        first.result()
        image = first.describe()["AlgorithmSpecification"]["TrainingImage"]
        isolated = nothing.options(enable_network_isolation=True)
        times = take_turns(
            {
                "docker run --network none": lambda: run_bare(image, "none"),
                "sm_remote, network isolation": quietly(isolated),
                "docker run --network bridge": lambda: run_bare(image, "bridge"),
                "sm_remote": quietly(nothing),
            },
            rounds=ROUNDS,
            warm_ups=2,
        )
    show_times(f"An empty call in a cold container ({image})", times)
    bare, ours = times["docker run --network none"], times["sm_remote, network isolation"]
    show_ratio("without network, sm_remote / docker run", ours, bare, goal=1.2)
    bare, ours = times["docker run --network bridge"], times["sm_remote"]
    show_ratio("with network,    sm_remote / docker run", ours, bare, goal=1.2)


def measure_process() -> None:
    fresh = [sys.executable, "-c", "import cloudpickle"]
    with state_of_its_own("process"):
        times = take_turns(
            {
                "python -c 'import cloudpickle'": lambda: subprocess.run(fresh, check=True),
                "sm_remote, process engine": quietly(nothing),
            },
            rounds=ROUNDS * 2,
            warm_ups=3,
        )
    show_times("An empty call in a fresh process", times)
    show_ratio("sm_remote / python", *reversed(list(times.values())), goal=2.0)


if __name__ == "__main__":
    print(describe_machine())
    measure_docker()
    measure_process()
