"""Whole jobs: boto3 speaks to the real service over a socket, and a fake engine plays the containers."""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import threading

import pytest
from botocore.exceptions import ClientError

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.app import ServiceConfig
from sm_remote.service.engines.engine import ContainerExit, EngineError
from sm_remote.service.hosts.capacity import Capacity
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, statuses, wait_for_end, wait_until


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def discovery(home, engine):
    with serve(home, engine) as found:
        yield found


@pytest.fixture
def client(discovery):
    return make_client(discovery)


def run(client, engine, play, name: str = "fit-1", **members):
    engine.play = play
    client.create_training_job(**build_request(name, **members))
    return wait_for_end(client, name)


def archive_names(home, name: str, archive: str) -> list[str] | None:
    path = home.store / LOCAL_BUCKET / "jobs" / name / "output" / archive
    if not path.exists():
        return None
    with tarfile.open(path) as opened:
        return opened.getnames()


def write_outputs(container) -> None:
    container.path("/opt/ml/model/weights").write_text("w")
    container.path("/opt/ml/output/data/plot").write_text("p")


def train_channel(uri: str = "s3://sm-remote-local/data/", data_type: str = "S3Prefix", **members):
    source = {"S3DataType": data_type, "S3Uri": uri}
    return {"ChannelName": "train", "DataSource": {"S3DataSource": source}, **members}


def test_a_job_that_ends_well_goes_through_every_state(client, engine, home):
    def play(container) -> int:
        write_outputs(container)
        return 0

    description = run(client, engine, play)
    assert statuses(description) == ["Starting", "Training", "Uploading", "Completed"]
    assert (description["TrainingJobStatus"], description["SecondaryStatus"]) == ("Completed", "Completed")
    assert [entry["StatusMessage"] for entry in description["SecondaryStatusTransitions"]][1:] == [
        "Training image download completed. Training in progress.",
        "Uploading generated training model",
        "Training job completed",
    ]
    assert description["ModelArtifacts"] == {"S3ModelArtifacts": "s3://sm-remote-local/jobs/fit-1/output/model.tar.gz"}
    assert description["CreationTime"] <= description["TrainingStartTime"] <= description["TrainingEndTime"]
    assert description["TrainingTimeInSeconds"] == description["BillableTimeInSeconds"] == 1
    assert "FailureReason" not in description
    assert archive_names(home, "fit-1", "model.tar.gz") == ["weights"]
    assert archive_names(home, "fit-1", "output.tar.gz") == ["plot"]


def test_what_was_asked_is_described_as_it_was_asked(client, engine):
    asked = build_request(
        HyperParameters={"epochs": "5"},
        Environment={"A": "1"},
        EnableNetworkIsolation=True,
        RetryStrategy={"MaximumRetryAttempts": 2},
        Tags=[{"Key": "project", "Value": "x"}],
    )
    client.create_training_job(**asked)
    description = client.describe_training_job(TrainingJobName="fit-1")
    del asked["Tags"]
    assert {member: description[member] for member in asked} == asked
    assert description["EnableManagedSpotTraining"] is False


def test_a_job_whose_container_fails_still_uploads_what_it_left(client, engine, home):
    def play(container) -> int:
        write_outputs(container)
        container.path("/opt/ml/output/failure").write_text("ValueError: no data")
        return 1

    description = run(client, engine, play)
    assert statuses(description) == ["Starting", "Training", "Uploading", "Failed"]
    assert description["FailureReason"] == "AlgorithmError: ValueError: no data, exit code: 1"
    assert "ModelArtifacts" in description
    assert archive_names(home, "fit-1", "model.tar.gz") == ["weights"]
    assert archive_names(home, "fit-1", "output.tar.gz") == ["plot"]


def test_a_failure_file_that_is_a_link_shows_nothing_of_this_host(client, engine, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")

    def play(container) -> int:
        container.path("/opt/ml/output/failure").symlink_to(secret)
        return 1

    assert run(client, engine, play)["FailureReason"] == "AlgorithmError: , exit code: 1"


def test_a_container_out_of_memory_is_told_apart(client, engine):
    ended = ContainerExit(code=137, out_of_memory=True, peak_memory_bytes=8_000_000_000)
    reason = run(client, engine, lambda container: ended)["FailureReason"]
    assert reason.startswith("ClientError: Please use an instance type with more memory, ")
    assert reason.endswith("(limit 8589934592 bytes, peak 8000000000 bytes), exit code: 137")


def test_a_container_killed_from_outside_is_not_called_out_of_memory(client, engine):
    reason = run(client, engine, lambda container: 137)["FailureReason"]
    assert reason == "AlgorithmError: container was killed from outside (SIGKILL), exit code: 137"


def test_a_container_that_vanishes_fails_the_job_without_uploading(client, engine, home):
    def play(container) -> None:
        write_outputs(container)

    description = run(client, engine, play)
    assert statuses(description) == ["Starting", "Training", "Failed"]
    assert description["FailureReason"].startswith(
        "InternalServerError: We encountered an internal error. Please try again. (the job's container is gone"
    )
    assert "ModelArtifacts" not in description
    assert archive_names(home, "fit-1", "model.tar.gz") is None


def test_an_image_that_cannot_be_had_fails_the_job_before_it_ran(client, engine):
    engine.images = set()
    description = run(client, engine, lambda container: 0)
    assert statuses(description) == ["Starting", "Failed"]
    assert description["FailureReason"] == (
        "ClientError: Unable to download training image: pull access denied for my-image"
    )


def test_a_container_that_the_engine_will_not_start_fails_the_job(client, engine):
    engine.refusal = EngineError("exec: no such file")
    assert run(client, engine, lambda container: 0)["FailureReason"] == (
        "ClientError: Unable to start the training container: exec: no such file"
    )


def test_an_image_that_takes_long_is_said_to_be_downloading(client, engine, put):
    engine.slow_step = "pulling my-image"
    put("data/a.csv")
    description = run(client, engine, lambda container: 0, InputDataConfig=[train_channel()])
    assert [entry["StatusMessage"] for entry in description["SecondaryStatusTransitions"]][:4] == [
        "Starting the training job",
        "Downloading input data",
        "Downloading the training image",
        "Training image download completed. Training in progress.",
    ]


@pytest.mark.parametrize(
    ("algorithm", "entrypoint", "arguments"),
    [
        ({}, (), ("train",)),
        ({"ContainerEntrypoint": ["python3", "-c"]}, ("python3", "-c"), ()),
        ({"ContainerArguments": ["serve"]}, (), ("serve",)),
        ({"ContainerEntrypoint": ["a"], "ContainerArguments": ["b"]}, ("a",), ("b",)),
    ],
)
def test_a_container_is_started_as_sagemaker_starts_it(client, engine, algorithm, entrypoint, arguments):
    run(client, engine, lambda container: 0, AlgorithmSpecification=algorithm)
    (container,) = engine.containers.values()
    assert (container.spec.entrypoint, container.spec.arguments) == (entrypoint, arguments)


def test_a_container_gets_its_share_its_environment_and_its_labels(client, engine):
    run(client, engine, lambda container: 0, Environment={"A": "b"}, EnableNetworkIsolation=True)
    (container,) = engine.containers.values()
    spec = container.spec
    assert (spec.name, spec.image) == ("smr-fit-1-a1-algo-1", "my-image")
    assert (spec.cpus, spec.memory_bytes, spec.gpus, spec.network) == (2.0, 8 << 30, (), False)
    assert spec.environment == {
        "A": "b",
        "TRAINING_JOB_NAME": "fit-1",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-east-1:000000000000:training-job/fit-1",
        "AWS_REGION": "us-east-1",
    }
    assert spec.labels["sm_remote.job"] == "fit-1"
    assert spec.labels["sm_remote.attempt"] == "1"


def test_nothing_is_mounted_over_opt_ml_itself_and_inputs_are_read_only(client, engine, put):
    put("data/a.csv")
    run(client, engine, lambda container: 0, InputDataConfig=[train_channel()])
    (container,) = engine.containers.values()
    assert sorted((mount.target, mount.read_only) for mount in container.spec.mounts) == [
        ("/opt/ml/input", False),
        ("/opt/ml/input/data/train", True),
        ("/opt/ml/model", False),
        ("/opt/ml/output", False),
    ]


def test_a_job_sees_its_channels_and_its_configuration(client, engine, put):
    put("data/a.csv", b"1,2")
    seen = {}

    def play(container) -> int:
        seen["a.csv"] = container.path("/opt/ml/input/data/train/a.csv").read_bytes()
        seen["hp"] = json.loads(container.path("/opt/ml/input/config/hyperparameters.json").read_text())
        seen["channels"] = json.loads(container.path("/opt/ml/input/config/inputdataconfig.json").read_text())
        return 0

    description = run(
        client, engine, play, HyperParameters={"epochs": "5"}, InputDataConfig=[train_channel(ContentType="text/csv")]
    )
    assert statuses(description) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert seen["a.csv"] == b"1,2"
    assert seen["hp"] == {"epochs": "5"}
    assert seen["channels"]["train"]["ContentType"] == "text/csv"


def test_without_compression_every_file_is_an_object(client, engine, home):
    def play(container) -> int:
        write_outputs(container)
        return 0

    description = run(client, engine, play, OutputDataConfig={"CompressionType": "NONE"})
    base = home.store / LOCAL_BUCKET / "jobs" / "fit-1" / "output"
    assert (base / "model" / "weights").read_text() == "w"
    assert (base / "data" / "plot").read_text() == "p"
    assert description["ModelArtifacts"]["S3ModelArtifacts"] == "s3://sm-remote-local/jobs/fit-1/output/model"


def test_a_link_out_of_the_model_fails_the_upload(client, engine, tmp_path):
    def play(container) -> int:
        container.path("/opt/ml/model/x").symlink_to("/etc/passwd")
        return 0

    assert run(client, engine, play)["FailureReason"] == (
        "ClientError: Artifact upload failed:"
        "/opt/ml/model/x is a link to /etc/passwd, which is outside of /opt/ml/model"
    )


def test_metrics_are_read_out_of_the_log(client, engine):
    def play(container) -> int:
        for loss in (3.0, 2.5):
            container.print(f"[1]\tloss={loss}")
        return 0

    definitions = [{"Name": "loss", "Regex": "#011loss=([0-9.]+)"}, {"Name": "none", "Regex": "x=(.)"}]
    description = run(client, engine, play, AlgorithmSpecification={"MetricDefinitions": definitions})
    (metric,) = description["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 2.5)


def test_a_job_leaves_no_working_tree_and_no_container_behind(client, engine, home):
    run(client, engine, lambda container: 0)
    wait_until(lambda: list(home.jobs.iterdir()) == [] and engine.removed == ["smr-fit-1-a1-algo-1"])


def test_of_fifty_who_create_one_name_at_once_one_succeeds(discovery, engine):
    barrier, outcomes = threading.Barrier(50), []
    clients = [make_client(discovery) for _ in range(10)]

    def create(client) -> None:
        barrier.wait()
        try:
            client.create_training_job(**build_request())
            outcomes.append("created")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=create, args=(clients[number % 10],)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ResourceInUse"] * 49 + ["created"]
    wait_for_end(clients[0], "fit-1")
    assert len(engine.starts) == 1


def test_a_name_that_is_taken_is_refused_in_sagemakers_words(client):
    client.create_training_job(**build_request())
    with pytest.raises(client.exceptions.ResourceInUse) as caught:
        client.create_training_job(**build_request(ResourceConfig={"InstanceType": "ml.m5.4xlarge"}))
    assert caught.value.response["Error"]["Message"] == (
        "Training job names must be unique within an AWS account and region, and a training job with this name already "
        "exists (arn:aws:sagemaker:us-east-1:000000000000:training-job/fit-1)"
    )


def test_a_job_that_is_not_there_is_refused_in_sagemakers_words(client):
    for call in (client.describe_training_job, client.stop_training_job, client.delete_training_job):
        with pytest.raises(ClientError) as caught:
            call(TrainingJobName="none")
        assert caught.value.response["Error"] == {
            "Code": "ValidationException",
            "Message": "Requested resource not found.",
        }


EVERYTHING = {
    "HyperParameters": {"lr": "0.1"},
    "Environment": {"A": "b"},
    "RetryStrategy": {"MaximumRetryAttempts": 3},
    "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
    "ExperimentConfig": {"ExperimentName": "e", "TrialName": "t", "RunName": "r"},
    "CheckpointConfig": {"S3Uri": "s3://sm-remote-local/c", "LocalPath": "/opt/ml/checkpoints"},
    "DebugHookConfig": {"S3OutputPath": "s3://bucket/debug", "CollectionConfigurations": [{"CollectionName": "w"}]},
    "DebugRuleConfigurations": [{"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}],
    "TensorBoardOutputConfig": {"S3OutputPath": "s3://bucket/tb", "LocalPath": "/opt/ml/output/tensorboard"},
    "ProfilerConfig": {"S3OutputPath": "s3://bucket/p", "ProfilingIntervalInMilliseconds": 500},
    "EnableInterContainerTrafficEncryption": True,
    "EnableManagedSpotTraining": True,
    "RemoteDebugConfig": {"EnableRemoteDebug": False},
    "InfraCheckConfig": {"EnableInfraCheck": True},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
    "OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/jobs", "CompressionType": "NONE", "KmsKeyId": "key"},
}


def test_a_description_has_all_that_the_request_said_and_list_tags_its_tags(client):
    request = build_request(**EVERYTHING, Tags=[{"Key": "team", "Value": "vision"}])
    arn = client.create_training_job(**request)["TrainingJobArn"]
    description = wait_for_end(client, "fit-1")
    tags = request.pop("Tags")
    assert {name: description[name] for name in request} == request
    assert description["ProfilingStatus"] == "Disabled"
    assert client.list_tags(ResourceArn=arn)["Tags"] == tags
    assert description["BillableTimeInSeconds"] <= description["TrainingTimeInSeconds"]


def test_a_description_says_how_long_a_job_may_run_that_did_not_say_it(client):
    client.create_training_job(**build_request() | {"StoppingCondition": {}})
    assert wait_for_end(client, "fit-1")["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}


def refusal(client, **members) -> str:
    with pytest.raises(ClientError) as caught:
        client.create_training_job(**build_request(**members))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return caught.value.response["Error"]["Message"]


def test_a_gpu_type_on_a_machine_without_gpus_is_refused_and_a_cpu_type_named(client):
    message = refusal(client, ResourceConfig={"InstanceType": "ml.g5.xlarge"})
    assert message.startswith("ml.g5.xlarge has 1 x NVIDIA A10G, and this machine has none.")
    assert "Use a CPU instance type such as ml.m5." in message


def test_a_gpu_type_on_a_machine_with_gpus_gets_them(home, engine):
    with serve(home, engine, host=Capacity(cpus=8, memory_bytes=64 << 30, gpus=2)) as found:
        run(make_client(found), engine, lambda container: 0, ResourceConfig={"InstanceType": "ml.g5.12xlarge"})
    (container,) = engine.containers.values()
    assert container.spec.gpus == (0, 1)


def test_an_empty_prefix_is_refused_in_sagemakers_words(client):
    message = refusal(client, InputDataConfig=[train_channel("s3://sm-remote-local/nothing/")])
    assert message.startswith(
        'No S3 objects found under S3 URL "s3://sm-remote-local/nothing/" given in input data source. Please ensure'
    )


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"ResourceConfig": {"InstanceCount": 0}}, "Value '0' at 'resourceConfig.instanceCount'"),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 100}}, "It is only supported when EnableManagedSpotTraining"),
        ({"EnableManagedSpotTraining": True}, "It must be present and be greater than or equal to"),
        ({"AlgorithmSpecification": {"AlgorithmName": "xgboost"}}, "Exactly one of TrainingImage and AlgorithmName"),
        ({"InputDataConfig": [train_channel("s3://sm-remote-local/../x")]}, "1.member.dataSource.s3DataSource.s3Uri'"),
        ({"OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/../../x"}}, "at 'outputDataConfig.s3OutputPath'"),
        ({"OutputDataConfig": {"S3OutputPath": "https://bucket/x"}}, "at 'outputDataConfig.s3OutputPath'"),
        ({"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "a", "Regex": "("}]}}, "'(' at 'algorithmSpec"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "Tag keys must be unique"),
        ({"Environment": {"A": "\0"}}, "NUL"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_at_once(client, members, words):
    assert words in refusal(client, **members)


def test_two_channels_of_one_name_are_refused(client, put):
    put("data/a")
    assert "unique" in refusal(client, InputDataConfig=[train_channel(), train_channel()])


def test_a_request_without_a_stopping_condition_is_refused_as_null(client):
    request = build_request()
    del request["StoppingCondition"]
    with pytest.raises(ClientError, match="Value null at 'stoppingCondition' failed to satisfy constraint"):
        client.create_training_job(**request)


def test_a_job_waits_for_capacity_and_says_so(client, engine):
    go = threading.Event()

    def play(container) -> int:
        go.wait(120)
        return 0

    engine.play = play
    for name in ("first", "second", "third"):
        client.create_training_job(**build_request(name, ResourceConfig={"InstanceType": "ml.m5.xlarge"}))
    wait_until(lambda: client.describe_training_job(TrainingJobName="third")["SecondaryStatus"] == "Pending")
    wait_until(lambda: len(engine.starts) == 1)
    go.set()
    description = wait_for_end(client, "third")
    assert statuses(description)[:3] == ["Starting", "Pending", "Training"]
    assert [name for name, _ in engine.starts] == [f"smr-{name}-a1-algo-1" for name in ("first", "second", "third")]


def test_jobs_that_fit_run_at_once_up_to_the_configured_number(home, engine):
    running, most = set(), []
    three = threading.Barrier(3)

    def play(container) -> int:
        running.add(container.spec.name)
        most.append(len(running))
        three.wait(120)
        running.discard(container.spec.name)
        return 0

    engine.play = play
    with serve(
        home, engine, host=Capacity(cpus=64, memory_bytes=1 << 40, gpus=0), config=ServiceConfig(max_parallel_jobs=3)
    ) as found:
        client = make_client(found)
        for number in range(9):
            client.create_training_job(**build_request(f"fit-{number}"))
        for number in range(9):
            assert wait_for_end(client, f"fit-{number}")["TrainingJobStatus"] == "Completed"
    assert max(most) == 3


def test_a_type_larger_than_the_machine_runs_alone_and_says_what_it_lacks(client, engine, home):
    run(client, engine, lambda container: 0, ResourceConfig={"InstanceType": "ml.m5.24xlarge"})
    (log,) = home.logs.rglob("*.log")
    first, second = [line.split(" ", 2)[2] for line in log.read_text().splitlines()]
    assert first == (
        "sm_remote: training job fit-1 on this machine (as ml.m5.24xlarge: 96 vCPU, 384 GiB). "
        "runs in the fake engine, which isolates nothing"
    )
    assert second.startswith("sm_remote: ml.m5.24xlarge is larger than this machine; the job gets 4 of 96 vCPUs")


def test_a_deleted_job_is_gone_and_its_name_is_free_again(client, engine, home):
    run(client, engine, lambda container: 0)
    wait_until(lambda: engine.removed)
    client.delete_training_job(TrainingJobName="fit-1")

    def is_gone() -> bool:
        with contextlib.suppress(ClientError):
            client.describe_training_job(TrainingJobName="fit-1")
            return False
        return True

    wait_until(is_gone)
    assert list(home.logs.iterdir()) == []
    assert list(home.jobs.iterdir()) == []
    assert run(client, engine, lambda container: 0)["TrainingJobStatus"] == "Completed"


def test_a_job_that_runs_cannot_be_deleted(client, engine):
    go = threading.Event()

    def play(container) -> int:
        go.wait(120)
        return 0

    engine.play = play
    client.create_training_job(**build_request())
    with pytest.raises(ClientError, match="is in status InProgress"):
        client.delete_training_job(TrainingJobName="fit-1")
    go.set()
    wait_for_end(client, "fit-1")


def test_everything_kept_is_the_owners_alone(client, engine, home):
    run(client, engine, lambda container: 0)
    for directory in (home.data, home.service, home.jobs, home.logs, home.store):
        assert os.stat(directory).st_mode & 0o077 == 0
    for file in home.service.iterdir():
        assert os.stat(file).st_mode & 0o077 == 0
