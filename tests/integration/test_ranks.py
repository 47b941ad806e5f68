"""The same function on several hosts and in several processes: the first rank's value comes back, any failure does."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

import sm_remote
from sm_remote.errors import ConfigError, JobFailed


def add_up() -> dict[str, Any]:
    """An all-reduce over plain sockets, by the variables that torchrun sets."""
    import socket
    import time

    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    if rank == 0:
        with socket.create_server(place) as listener:
            others = [listener.accept()[0] for _ in range(world - 1)]
            found = sorted(int(other.recv(16)) for other in others)
            group = os.environ["SM_CURRENT_INSTANCE_GROUP"], os.environ["SM_INSTANCE_GROUPS"]
            return {"ranks": [0, *found], "local": os.environ["LOCAL_RANK"], "world": world, "group": group}
    while True:
        try:
            root = socket.create_connection(place)
            break
        except OSError:
            time.sleep(0.01)
    root.sendall(str(rank).encode())
    return {"rank": rank}


def fail_at(rank: int) -> str:
    if int(os.environ["RANK"]) == rank:
        raise ValueError("no data for me")
    import time

    time.sleep(20)
    return "never"


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "process" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is missing here")
    return str(request.param)


def test_every_process_of_every_host_has_its_rank(engine: str) -> None:
    """On hosts of two groups, with a value that comes back in an archive."""
    groups = [
        {"InstanceGroupName": name, "InstanceType": f"ml.m5.{size}", "InstanceCount": 1}
        for name, size in (("small", "large"), ("large", "xlarge"))
    ]
    call = sm_remote.remote(add_up, engine=engine, use_torchrun=True, nproc_per_node=2).options(
        instance_groups=groups, disable_output_compression=False
    )
    assert call() == {"ranks": [0, 1, 2, 3], "local": "0", "world": 4, "group": ("small", '["small","large"]')}


def test_several_processes_on_one_host_find_each_other(engine: str) -> None:
    call = sm_remote.remote(add_up, engine=engine, use_torchrun=True, nproc_per_node=3)
    group = "homogeneousCluster", '["homogeneousCluster"]'
    assert call() == {"ranks": [0, 1, 2], "local": "0", "world": 3, "group": group}


@pytest.mark.parametrize("rank", [1, 3])
def test_any_ranks_exception_ends_the_job_and_says_whose_it_is(engine: str, rank: int) -> None:
    call = sm_remote.remote(fail_at, engine=engine, instance_count=2, use_torchrun=True, nproc_per_node=2)
    host = f"algo-{1 + rank // 2}"
    with pytest.raises(JobFailed, match=rf"rank {rank} on {host}: ValueError: no data for me"):
        call(rank)


def test_a_number_of_processes_without_a_launcher_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigError, match="nproc_per_node is 2"):
        sm_remote.remote(add_up, nproc_per_node=2)()
