"""Warm pools: who leaves one, who may use it, what is kept in it and what it says of itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sm_remote.service.app import ServiceConfig
from sm_remote.service.hosts.capacity import Capacity
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end, wait_until

KEEP = {"KeepAlivePeriodInSeconds": 600}


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def client(home, engine):
    with serve(home, engine, config=ServiceConfig(stop_grace_s=0.3)) as found:
        yield make_client(found)


def create(client, name: str, keep: dict[str, Any] | None = None, **members) -> None:
    resources = {**KEEP, **(keep or {})}
    client.create_training_job(**build_request(name, ResourceConfig=resources, **members))


def run(client, name: str, keep: dict[str, Any] | None = None, **members) -> dict[str, Any]:
    create(client, name, keep, **members)
    return wait_for_end(client, name)


def find_pool(client, name: str) -> dict[str, Any]:
    return client.describe_training_job(TrainingJobName=name)["WarmPoolStatus"]


def wait_until_ready(engine, name: str) -> None:
    wait_until(lambda: f"smr-pool-{name}" in engine.standbys)


def test_a_matching_job_takes_over_what_another_has_kept(client, engine):
    go_on = threading.Event()
    engine.play = lambda container: 0 if go_on.wait(120) else 1
    create(client, "one")
    wait_until(lambda: engine.starts)
    assert find_pool(client, "one") == {"Status": "InUse"}
    go_on.set()
    wait_for_end(client, "one")
    assert find_pool(client, "one") == {"Status": "Available"}
    wait_until_ready(engine, "one")
    run(client, "two")
    assert engine.warm == ["smr-two-a1-algo-1"]
    pool = find_pool(client, "one")
    assert (pool["Status"], pool["ReusedByJob"]) == ("Reused", "two")
    assert pool["ResourceRetainedBillableTimeInSeconds"] >= 0
    assert find_pool(client, "two") == {"Status": "Available"}
    names = [
        each["TrainingJobName"]
        for each in client.list_training_jobs(WarmPoolStatusEquals="Available")["TrainingJobSummaries"]
    ]
    assert names == ["two"]


def test_only_the_cache_is_kept_from_job_to_job(client, engine):
    seen = {}

    def play(container) -> int:
        name = container.spec.environment["TRAINING_JOB_NAME"]
        variable = container.spec.environment["SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"]
        places = {target: container.path(target) for target in ("/opt/ml/model", "/opt/ml/output/data", variable)}
        seen[name] = {target: sorted(path.name for path in place.iterdir()) for target, place in places.items()}
        for place in places.values():
            (place / name).write_text("x")
        return 0

    engine.play = play
    run(client, "one")
    wait_until_ready(engine, "one")
    run(client, "two")
    assert seen["two"] == {
        "/opt/ml/model": [],
        "/opt/ml/output/data": [],
        "/opt/ml/sagemaker/warmpoolcache": ["one"],
    }


@pytest.mark.parametrize(
    ("keep", "members"),
    [
        ({"VolumeSizeInGB": 31}, {}),
        ({"InstanceType": "ml.m5.xlarge"}, {}),
        ({"KeepAlivePeriodInSeconds": 0}, {}),
        ({}, {"RoleArn": "arn:aws:iam::000000000000:role/somebody-else"}),
        ({}, {"EnableNetworkIsolation": True}),
        ({}, {"EnableInterContainerTrafficEncryption": True}),
        ({}, {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}),
    ],
)
def test_a_job_that_wants_something_else_leaves_the_pool_alone(home, engine, keep, members):
    with serve(home, engine, host=Capacity(cpus=64, memory_bytes=1 << 40, gpus=0)) as found:
        client = make_client(found)
        run(client, "one")
        wait_until_ready(engine, "one")
        run(client, "two", keep, **members)
        assert engine.warm == []
        assert find_pool(client, "one") == {"Status": "Available"}


def test_another_image_uses_the_pool_but_starts_cold(client, engine):
    run(client, "one")
    wait_until_ready(engine, "one")
    run(client, "two", AlgorithmSpecification={"TrainingImage": "another"})
    assert engine.warm == []
    assert find_pool(client, "one")["ReusedByJob"] == "two"
    assert "smr-pool-one" not in engine.standbys


def test_a_pool_ends_where_another_job_would_wait_for_what_it_keeps(client, engine):
    run(client, "one", {"InstanceType": "ml.m5.xlarge"})
    client.create_training_job(**build_request("next", ResourceConfig={"InstanceType": "ml.m5.large"}))
    assert wait_for_end(client, "next")["TrainingJobStatus"] == "Completed"
    pool = find_pool(client, "one")
    assert pool["Status"] == "Terminated"
    assert "ReusedByJob" not in pool
    assert not engine.standbys


def test_only_as_many_pools_end_as_a_job_needs(home, engine):
    with serve(home, engine, host=Capacity(cpus=8, memory_bytes=64 << 30, gpus=0)) as found:
        client = make_client(found)
        run(client, "short", {"InstanceType": "ml.m5.xlarge", "KeepAlivePeriodInSeconds": 300})
        run(client, "long", {"InstanceType": "ml.c5.xlarge"})
        client.create_training_job(**build_request("next", ResourceConfig={"InstanceType": "ml.m5.xlarge"}))
        wait_for_end(client, "next")
        assert [find_pool(client, name)["Status"] for name in ("short", "long")] == ["Terminated", "Available"]


def test_a_pool_goes_when_its_time_is_over_and_its_cache_with_it(client, engine, home):
    run(client, "one", {"KeepAlivePeriodInSeconds": 1})
    wait_until(lambda: find_pool(client, "one")["Status"] == "Terminated")
    assert find_pool(client, "one")["ResourceRetainedBillableTimeInSeconds"] in (1, 2)
    wait_until(lambda: not list(home.pools.iterdir()))
    assert not engine.standbys


def test_a_failure_of_the_algorithm_leaves_a_pool_and_one_of_the_platform_does_not(client, engine):
    engine.play = lambda container: 3
    run(client, "one")
    assert find_pool(client, "one") == {"Status": "Available"}
    client.update_training_job(TrainingJobName="one", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    wait_until(lambda: find_pool(client, "one")["Status"] == "Terminated")
    engine.play = lambda container: None
    run(client, "two")
    assert find_pool(client, "two")["Status"] == "Terminated"


def test_a_pool_survives_the_service(home, engine):
    with serve(home, engine) as found:
        run(make_client(found), "one")
        wait_until_ready(engine, "one")
    with serve(home, engine) as found:
        client = make_client(found)
        assert find_pool(client, "one") == {"Status": "Available"}
        run(client, "two")
        assert engine.warm == ["smr-two-a1-algo-1"]
        assert find_pool(client, "one")["ReusedByJob"] == "two"


def test_a_job_with_a_kept_pool_is_not_deleted(client):
    run(client, "one")
    with pytest.raises(ClientError, match="warm pool is Available"):
        client.delete_training_job(TrainingJobName="one")
    client.update_training_job(TrainingJobName="one", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    wait_until(lambda: find_pool(client, "one")["Status"] == "Terminated")
    client.delete_training_job(TrainingJobName="one")


def test_a_job_that_has_ended_without_a_pool_is_not_updated(client):
    client.create_training_job(**build_request())
    wait_for_end(client, "fit-1")
    assert "WarmPoolStatus" not in client.describe_training_job(TrainingJobName="fit-1")
    for name, message in (("fit-1", "is in status Completed"), ("none", "not found")):
        with pytest.raises(ClientError, match=message):
            client.update_training_job(TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 5})


def test_two_jobs_use_one_pool_one_after_the_other(client, engine):
    run(client, "one", {"InstanceType": "ml.m5.xlarge"})
    wait_until_ready(engine, "one")
    go_on = threading.Event()
    engine.play = lambda container: 0 if go_on.wait(120) else 1
    for name in ("two", "three"):
        create(client, name, {"InstanceType": "ml.m5.xlarge"})
    wait_until(lambda: client.describe_training_job(TrainingJobName="three")["SecondaryStatus"] == "Pending")
    go_on.set()
    for name in ("two", "three"):
        wait_for_end(client, name)
    assert find_pool(client, "one")["ReusedByJob"] == "two"
    assert find_pool(client, "two")["ReusedByJob"] == "three"
