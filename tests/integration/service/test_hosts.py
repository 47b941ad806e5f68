"""Jobs on several hosts: what each is given, and how their ends become one."""

from __future__ import annotations

import json
import tarfile
import threading

import pytest

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.app import ServiceConfig
from sm_remote.service.engines.engine import ContainerExit, EngineError
from sm_remote.service.hosts.capacity import Capacity
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, statuses, wait_for_end, wait_until

GROUP = "/aws/sagemaker/TrainingJobs"
TWO = {"ResourceConfig": {"InstanceCount": 2}}


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def discovery(home, engine):
    with serve(home, engine, config=ServiceConfig(stop_grace_s=0.3, interruption_grace_s=0.3)) as found:
        yield found


@pytest.fixture
def client(discovery):
    return make_client(discovery)


def host_of(container) -> str:
    return container.spec.cluster.host


def run(client, engine, play, **members):
    engine.play = play
    client.create_training_job(**build_request(**members))
    return wait_for_end(client, "fit-1")


def test_each_host_is_told_who_it_is_and_shares_one_network(client, engine):
    configs = {}

    def play(container) -> int:
        path = container.path("/opt/ml/input/config/resourceconfig.json")
        configs[host_of(container)] = json.loads(path.read_text())
        return 0

    description = run(client, engine, play, ResourceConfig={"InstanceCount": 3})
    assert statuses(description) == ["Starting", "Training", "Uploading", "Completed"]
    assert sorted(configs) == ["algo-1", "algo-2", "algo-3"]
    assert {host: config["current_host"] for host, config in configs.items()} == {host: host for host in configs}
    assert configs["algo-3"]["hosts"] == ["algo-1", "algo-2", "algo-3"]
    clusters = {container.spec.cluster.network for container in engine.containers.values()}
    assert clusters == {"smr-fit-1-a1"}
    wait_until(lambda: engine.removed_networks == ["smr-fit-1-a1"])
    assert sorted(engine.removed) == [f"smr-fit-1-a1-algo-{number}" for number in (1, 2, 3)]


def test_instance_groups_are_hosts_of_their_own_types(client, engine):
    groups = [
        {"InstanceGroupName": "prepare", "InstanceType": "ml.c5.xlarge", "InstanceCount": 1},
        {"InstanceGroupName": "train", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    ]
    cpus = {}

    def play(container) -> int:
        cpus[host_of(container)] = container.spec.cpus
        return 0

    engine.play = play
    request = build_request()
    request["ResourceConfig"] = {"InstanceGroups": groups, "VolumeSizeInGB": 30}
    client.create_training_job(**request)
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Completed"
    assert cpus == {"algo-1": 4.0, "algo-2": 2.0}


def test_the_models_of_all_hosts_become_one_and_the_first_host_wins(client, engine, home):
    def play(container) -> int:
        model, host = container.path("/opt/ml/model"), host_of(container)
        (model / "shards").mkdir()
        (model / "shards" / host).write_text(host)
        (model / "common").write_text(host)
        return 0

    run(client, engine, play, **TWO)
    with tarfile.open(home.store / LOCAL_BUCKET / "jobs/fit-1/output/model.tar.gz") as archive:
        assert sorted(archive.getnames()) == ["common", "shards", "shards/algo-1", "shards/algo-2"]
        common = archive.extractfile("common")
        assert common is not None
        assert common.read() == b"algo-1"


def test_a_host_that_fails_ends_the_others_and_gives_the_reason(client, engine):
    def play(container) -> int:
        if host_of(container) == "algo-2":
            container.path("/opt/ml/output/failure").write_text("no data for me")
            return 7
        assert container.sigterm.wait(120)
        container.path("/opt/ml/output/failure").write_text("somebody ended me")
        return 143

    description = run(client, engine, play, ResourceConfig={"InstanceCount": 3})
    assert description["FailureReason"] == "AlgorithmError: no data for me, exit code: 7"
    assert statuses(description) == ["Starting", "Training", "Uploading", "Failed"]


def test_hosts_that_end_well_do_not_end_the_job_before_the_last(client, engine):
    go_on = threading.Event()

    def play(container) -> int:
        return 0 if host_of(container) == "algo-1" or go_on.wait(120) else 1

    engine.play = play
    client.create_training_job(**build_request(**TWO))
    wait_until(lambda: len(engine.containers) == 2 and any(each.has_ended for each in engine.containers.values()))
    assert client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "InProgress"
    go_on.set()
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Completed"


def test_a_stop_reaches_every_host(client, engine):
    engine.play = lambda container: 0 if container.sigterm.wait(120) else 1
    client.create_training_job(**build_request(**TWO))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    client.stop_training_job(TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["SecondaryStatus"] == "Stopped"
    assert sorted(name for name, grace_s in engine.stops if grace_s) == ["smr-fit-1-a1-algo-1", "smr-fit-1-a1-algo-2"]


def test_each_host_has_a_log_stream_and_metrics_come_from_all(discovery, client, engine):
    def play(container) -> int:
        container.print(f"loss={host_of(container)[-1]}")
        container.print(f"from {host_of(container)}")
        return 0

    definitions = {"MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9]+)"}]}
    description = run(client, engine, play, AlgorithmSpecification=definitions, **TWO)
    assert [metric["MetricName"] for metric in description["FinalMetricDataList"]] == ["loss"]
    logs = make_client(discovery, "logs")
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="fit-1/")["logStreams"]
    last = {}
    for stream in streams:
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True)
        last[stream["logStreamName"].split("/")[1].rpartition("-")[0]] = events["events"][-1]["message"]
    assert last == {"algo-1": "from algo-1", "algo-2": "from algo-2"}


def test_all_hosts_together_are_what_a_job_takes_of_the_machine(home, engine):
    go_on = threading.Event()
    engine.play = lambda container: 0 if go_on.wait(120) else 1
    with serve(home, engine, host=Capacity(cpus=4, memory_bytes=64 << 30, gpus=0)) as found:
        client = make_client(found)
        client.create_training_job(**build_request("wide", **TWO))
        wait_until(lambda: len(engine.starts) == 2)
        client.create_training_job(**build_request("next"))
        wait_until(lambda: client.describe_training_job(TrainingJobName="next")["SecondaryStatus"] == "Pending")
        go_on.set()
        for name in ("wide", "next"):
            assert wait_for_end(client, name)["TrainingJobStatus"] == "Completed"


def test_an_interruption_takes_all_hosts_and_all_start_again(client, engine):
    def play(container) -> int:
        return 0 if "-a2-" in container.spec.name or not container.sigterm.wait(120) else 143

    tags = [{"Key": "sm_remote:interrupt-at", "Value": "0.2"}]
    spot = {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 120}}
    description = run(client, engine, play, Tags=tags, **TWO, **spot)
    assert description["TrainingJobStatus"] == "Completed"
    assert len(engine.starts) == 4


def test_one_container_that_vanishes_fails_the_job_and_ends_the_other(client, engine):
    def play(container) -> int | None:
        return None if host_of(container) == "algo-2" else 0 if container.sigterm.wait(120) else 1

    description = run(client, engine, play, **TWO)
    assert description["FailureReason"].startswith("InternalServerError")
    wait_until(lambda: len(engine.removed) == 2)


def test_a_host_that_cannot_start_ends_those_that_have_started(client, engine):
    def start(spec, start=engine.start):
        if spec.cluster.host == "algo-2":
            raise EngineError("no room")
        start(spec)

    engine.start = start
    description = run(client, engine, lambda container: container.sigterm.wait(120) and 0, **TWO)
    assert "no room" in description["FailureReason"]
    wait_until(lambda: "smr-fit-1-a1-algo-1" in engine.removed)


def test_two_jobs_never_share_a_gpu(home, engine):
    engine.play = lambda container: ContainerExit(code=0) if container.sigterm.wait(120) else ContainerExit(code=1)
    with serve(home, engine, host=Capacity(cpus=64, memory_bytes=1 << 40, gpus=3)) as found:
        client = make_client(found)
        one_gpu = {"InstanceType": "ml.g5.xlarge"}
        client.create_training_job(**build_request("wide", ResourceConfig={**one_gpu, "InstanceCount": 2}))
        client.create_training_job(**build_request("next", ResourceConfig=one_gpu))
        wait_until(lambda: len(engine.containers) == 3)
        dealt = [container.spec.gpus for container in engine.containers.values()]
        assert sorted(dealt) == [(0,), (1,), (2,)]
        client.stop_training_job(TrainingJobName="wide")
        wait_for_end(client, "wide")
        client.create_training_job(**build_request("last", ResourceConfig=one_gpu))
        wait_until(lambda: len(engine.containers) == 4)
        assert engine.containers["smr-last-a1-algo-1"].spec.gpus == (0,)
        for name in ("next", "last"):
            client.stop_training_job(TrainingJobName=name)
            wait_for_end(client, name)
