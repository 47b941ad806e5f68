from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sm_remote.service.engines.docker.request import Host, build_create_request, choose_user
from sm_remote.service.engines.engine import ContainerSpec, Mount

GIB = 1 << 30
HOST = Host(cpus=4, memory_bytes=8 * GIB, network="bridge", user=None, trusted_image=False)
SPEC = ContainerSpec(
    name="smr-a-a1-algo-1",
    image="python:3.11-slim",
    entrypoint=("python3", "-c"),
    arguments=("print(1)",),
    environment={"A": "b=c"},
    mounts=(Mount(source=Path("/x:y, z"), target="/opt/ml/model", read_only=True),),
    cpus=2.5,
    memory_bytes=2 * GIB,
    network=True,
    scratch=Path("/scratch"),
    labels={"sm_remote.job": "a"},
)


def test_a_container_is_hardened_and_limited():
    found = build_create_request(SPEC, HOST)["HostConfig"]
    assert found["Init"]
    assert found["CapDrop"] == ["ALL"]
    assert found["SecurityOpt"] == ["no-new-privileges"]
    assert found["PidsLimit"] == 4096
    assert found["Memory"] == found["MemorySwap"] == 2 * GIB
    assert found["ShmSize"] == GIB
    assert found["NanoCpus"] == 2_500_000_000
    assert "AutoRemove" not in found
    assert "Privileged" not in found


def test_a_share_larger_than_the_daemons_machine_is_cut_down_to_it():
    found = build_create_request(replace(SPEC, cpus=96, memory_bytes=400 * GIB), HOST)["HostConfig"]
    assert (found["NanoCpus"], found["Memory"]) == (4_000_000_000, 8 * GIB)
    assert build_create_request(replace(SPEC, memory_bytes=None), HOST)["HostConfig"]["Memory"] == 8 * GIB


@pytest.mark.parametrize(("network", "expected"), [(True, "bridge"), (False, "none")])
def test_network_isolation_means_no_network(network, expected):
    assert build_create_request(replace(SPEC, network=network), HOST)["HostConfig"]["NetworkMode"] == expected


def test_only_images_of_others_keep_what_roots_programs_count_on():
    assert "CHOWN" in build_create_request(SPEC, HOST)["HostConfig"]["CapAdd"]
    assert build_create_request(SPEC, replace(HOST, trusted_image=True))["HostConfig"]["CapAdd"] == []


def test_paths_with_colons_and_commas_are_mounted_as_they_are():
    (mount,) = build_create_request(SPEC, HOST)["HostConfig"]["Mounts"]
    assert mount == {"Type": "bind", "Source": "/x:y, z", "Target": "/opt/ml/model", "ReadOnly": True}


def test_an_images_own_entrypoint_stays_when_none_is_given():
    assert build_create_request(SPEC, HOST)["Entrypoint"] == ["python3", "-c"]
    assert "Entrypoint" not in build_create_request(replace(SPEC, entrypoint=()), HOST)


def test_gpus_are_asked_for_by_number_and_hidden_when_there_are_none():
    request = build_create_request(replace(SPEC, gpus=(1, 3)), HOST)
    assert request["HostConfig"]["DeviceRequests"] == [
        {"Driver": "nvidia", "DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]]}
    ]
    assert not any(item.startswith("NVIDIA") for item in request["Env"])
    assert build_create_request(SPEC, HOST)["Env"] == ["NVIDIA_VISIBLE_DEVICES=void", "A=b=c"]


def test_a_user_without_a_name_gets_a_home_and_one():
    request = build_create_request(SPEC, replace(HOST, user="1000:1000"))
    assert request["User"] == "1000:1000"
    assert {"HOME=/tmp", "USER=sm_remote"} <= set(request["Env"])


@pytest.mark.parametrize(
    ("info", "system", "uid", "expected"),
    [
        ({}, "linux", 1000, "1000:100"),
        ({}, "linux", 0, None),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, "linux", 1000, None),
        ({"SecurityOptions": None}, "darwin", 501, None),
    ],
)
def test_our_image_runs_as_the_services_user_unless_that_comes_to_the_same(info, system, uid, expected):
    assert choose_user(info, system, uid, 100) == expected
