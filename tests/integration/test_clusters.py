"""The hosts of one job find each other by name, in containers and in processes, whichever is first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sm_remote.home import Home
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.service.engines.docker.engine import DockerEngine
from sm_remote.service.engines.engine import Cluster, ContainerSpec, Engine, EngineError, Mount
from sm_remote.service.engines.process.engine import ProcessEngine
from sm_remote.service.engines.process.sandbox import probe_bubblewrap
from tests.engines import Bench

HOSTS = ("algo-1", "algo-2")

ALL_REDUCE = """
import socket, time
hosts = {hosts!r}
me = socket.gethostname()
rank, value = hosts.index(me), hosts.index(me) + 1
addresses = [socket.gethostbyname(host) for host in hosts]
assert len(set(addresses)) == len(hosts), addresses
if rank == 0:
    listener = socket.create_server((addresses[0], 7777))
    others = [listener.accept()[0] for _ in hosts[1:]]
    total = value + sum(int(other.recv(16)) for other in others)
    for other in others:
        other.sendall(str(total).encode())
else:
    while True:
        try:
            root = socket.create_connection((hosts[0], 7777))
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    root.sendall(str(value).encode())
    total = int(root.recv(16))
print("total", total)
"""

GLOO = """
import os, socket
import torch, torch.distributed as dist
rank = {hosts!r}.index(socket.gethostname())
os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="algo-1", MASTER_PORT="7777")
os.environ["GLOO_SOCKET_IFNAME"] = "{interface}"
dist.init_process_group("gloo")
tensor = torch.tensor([float(rank + 1)])
dist.all_reduce(tensor)
print("total", int(tensor.item()))
dist.destroy_process_group()
"""


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "sandbox"])
def engine(request: pytest.FixtureRequest, home: Home) -> Iterator[Engine]:
    if request.param == "docker":
        docker = DockerEngine(connect_docker(os.environ), home)
        yield docker
        docker.close()
        return
    bubblewrap = probe_bubblewrap()
    if bubblewrap is None:
        pytest.skip("bubblewrap is missing or forbidden here")
    yield ProcessEngine(home, bubblewrap=bubblewrap)


@pytest.fixture
def bench(engine: Engine, home: Home, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(engine, home, tmp_path)
    yield bench
    bench.close()
    for network in engine.list_networks(bench.instance):
        engine.remove_network(network)


def plan_hosts(bench: Bench, code: str, *, isolated: bool = False, **options: object) -> list[ContainerSpec]:
    job = f"smr-{bench.instance}-a1"
    labels = {"sm_remote.instance": bench.instance, "sm_remote.job": "fit", "sm_remote.attempt": "1"}
    specs = []
    for host in HOSTS:
        spec = bench.spec(code, name=f"{job}-{host}", network=not isolated, **options)  # type: ignore[arg-type]
        cluster = Cluster(network=job, host=host, hosts=HOSTS, isolated=isolated)
        specs.append(replace(spec, cluster=cluster, labels=labels))
    return specs


def run_all(bench: Bench, specs: list[ContainerSpec]) -> list[list[bytes]]:
    names = [bench.start(spec) for spec in specs]
    ends = [bench.engine.wait(name).code for name in names]
    logs = [[line for _, line in bench.engine.read_lines(name)] for name in names]
    assert ends == [0, 0], logs
    return logs


def test_hosts_add_up_what_each_of_them_has(bench: Bench) -> None:
    logs = run_all(bench, plan_hosts(bench, ALL_REDUCE.format(hosts=HOSTS)))
    assert [log[-1] for log in logs] == [b"total 3", b"total 3"]


def test_two_clusters_use_the_same_port_at_the_same_time(bench: Bench) -> None:
    specs = plan_hosts(bench, ALL_REDUCE.format(hosts=HOSTS))
    others = [
        replace(
            spec,
            name=f"{spec.name}-b",
            scratch=spec.scratch.with_name("other"),
            cluster=replace(spec.cluster, network=f"{spec.cluster.network}-b"),
        )
        for spec in specs
        if spec.cluster is not None
    ]
    for other in others:
        other.scratch.mkdir(exist_ok=True)
        other.scratch.chmod(0o700)
    first = bench.start(specs[0]), bench.start(others[0])
    second = bench.start(specs[1]), bench.start(others[1])
    assert [bench.engine.wait(name).code for name in (*first, *second)] == [0, 0, 0, 0]


@pytest.mark.docker
def test_hosts_without_a_network_reach_each_other_and_nothing_else(home: Home, tmp_path: Path) -> None:
    client = connect_docker(os.environ)
    engine = DockerEngine(client, home)
    bench = Bench(engine, home, tmp_path)
    try:
        logs = run_all(bench, plan_hosts(bench, ALL_REDUCE.format(hosts=HOSTS), isolated=True))
        assert [log[-1] for log in logs] == [b"total 3", b"total 3"]
        assert engine.list_networks(bench.instance) == [f"smr-{bench.instance}-a1"]
        # Docker's own name for a network from which nothing else is reached.
        assert client.inspect_network(f"smr-{bench.instance}-a1")["Internal"]
    finally:
        bench.close()
        engine.remove_network(f"smr-{bench.instance}-a1")
        engine.remove_network(f"smr-{bench.instance}-a1")
        assert engine.list_networks(bench.instance) == []
        engine.close()


def test_processes_without_a_network_cannot_be_kept_to_each_other(home: Home, tmp_path: Path) -> None:
    bench = Bench(ProcessEngine(home, bubblewrap="/usr/bin/bwrap"), home, tmp_path)
    with pytest.raises(EngineError, match="without Docker"):
        bench.start(plan_hosts(bench, "", isolated=True)[0])


def test_plain_processes_cannot_be_several_hosts(home: Home, tmp_path: Path) -> None:
    bench = Bench(ProcessEngine(home, bubblewrap=None), home, tmp_path)
    with pytest.raises(EngineError, match="needs Docker or bubblewrap"):
        bench.start(plan_hosts(bench, "")[0])


@pytest.mark.slow
@pytest.mark.frameworks
def test_pytorch_reduces_over_all_hosts(bench: Bench, framework_packages: Path) -> None:
    packages = Mount(source=framework_packages, target="/opt/ml/packages", read_only=True)
    code = GLOO.format(hosts=HOSTS, interface=bench.engine.network_interface)
    specs = plan_hosts(
        bench, code, mounts=[packages], environment={"PYTHONPATH": packages.target}, memory_bytes=2 << 30
    )
    logs = run_all(bench, specs)
    assert [log[-1] for log in logs] == [b"total 3", b"total 3"]
