"""What only AWS can confirm, one check each: run by a person with an account, `make test-aws`.

docs/verify-on-aws.md lists them. Functions stand inside of checks, so that they travel by value, as a notebook's do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.aws.account import RUN_S, WAIT_S, Account
from sm_remote import (
    Job,
    JobFailed,
    JobStopped,
    OutOfMemory,
    StorageError,
    SubmitError,
    TimedOut,
    checkpoint,
    list_futures,
)
from sm_remote.errors import RemoteError

pytestmark = [pytest.mark.aws, pytest.mark.timeout(WAIT_S * 2)]


def needs(variable: str) -> str:
    """A variable without which a check has nothing to look at."""
    value = os.environ.get(variable, "")
    if not value:
        pytest.skip(f"set {variable} to have this checked")
    return value


@pytest.fixture(scope="session")
def first(aws: Account) -> Job[Any]:
    """The job that most checks look at; it has ended."""

    def divide(x: int, y: int) -> dict[str, Any]:
        import platform

        for number in range(1000):
            print(f"line {number:04}")
        print(f"quality={x / y};")
        return {"value": x / y, "python": platform.python_version()}

    job = aws.submit(
        divide,
        3,
        2,
        metric_definitions={"quality": "quality=([0-9.]+);"},
        tags={"purpose": "verification"},
        hyperparameters={"epochs": 3},
        environment_variables={"MODE": "fast"},
    )
    job.result(timeout=WAIT_S)
    ended = time.time()
    lag_s = ended - job.describe()["TrainingEndTime"].timestamp()
    aws.notes.append(f"the value was here {lag_s:.1f} s after the end that SageMaker gives the job")
    return job


def test_a_value_comes_back(first: Job[Any]) -> None:
    """The request is accepted, the image starts our program, channels and outcome go through S3."""
    assert first.result()["value"] == 1.5
    assert first.result()["python"].split(".")[:2] == [str(part) for part in sys.version_info[:2]]


def test_each_line_of_the_log_is_there_once_and_in_order(first: Job[Any]) -> None:
    """CloudWatch's pages are put together."""
    lines = [line for line in first.logs() if line.startswith("line ")]
    assert lines == [f"line {number:04}" for number in range(1000)]


def test_a_metric_is_read_out_of_the_log(first: Job[Any]) -> None:
    """MetricDefinitions as SageMaker understands them."""
    metrics = {one["MetricName"]: one["Value"] for one in first.describe().get("FinalMetricDataList", [])}
    assert metrics == {"quality": 1.5}


def test_what_was_asked_for_is_described_as_it_was_asked_for(first: Job[Any], aws: Account) -> None:
    """DescribeTrainingJob and ListTags give the request back; replay and the panel count on it."""
    description = first.describe()
    assert description["Environment"]["MODE"] == "fast"
    assert description["HyperParameters"]["epochs"] == "3"
    assert description["StoppingCondition"]["MaxRuntimeInSeconds"] == RUN_S
    assert description["OutputDataConfig"]["S3OutputPath"].startswith(aws.root_uri)
    assert description["BillableTimeInSeconds"] > 0
    tags = aws.client("sagemaker").list_tags(ResourceArn=description["TrainingJobArn"])["Tags"]
    assert {"Key": "purpose", "Value": "verification"} in tags


def test_another_process_comes_back_to_the_job(first: Job[Any], aws: Account) -> None:
    """From its name alone."""
    program = "import sys, sm_remote; print(sm_remote.get_future(sys.argv[1], target='sagemaker').result()['value'])"
    done = subprocess.run([sys.executable, "-c", program, first.name], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1.5", done.stderr
    assert first.name in [job.name for job in list_futures(aws.names, target="sagemaker")]


def test_a_name_is_taken_once(first: Job[Any], aws: Account) -> None:
    """CreateTrainingJob has no client token: the name is what keeps a repeated request from being a second job."""
    client = aws.client("sagemaker")
    known = first.describe()
    members = client.meta.service_model.operation_model("CreateTrainingJob").input_shape.members
    request = {name: known[name] for name in members if name in known}
    request.pop("WarmPoolStatus", None)
    with pytest.raises(client.exceptions.ResourceInUse):
        client.create_training_job(**request)


def test_the_same_data_is_sent_once_and_read_in_every_mode(aws: Account, tmp_path: Path) -> None:
    """Content-addressed prefixes as channels, with the network shut off."""
    from sm_remote import TrainingInput

    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("7")

    def read() -> list[str]:
        import os

        names = ("SM_CHANNEL_FILES", "SM_CHANNEL_VIEW")
        return [open(os.environ[name] + "/sub/a.txt").read() for name in names]

    inputs = {"files": tmp_path, "view": TrainingInput(tmp_path, input_mode="FastFile")}
    job = aws.submit(read, inputs=inputs, enable_network_isolation=True)
    assert job.result(timeout=WAIT_S) == ["7", "7"]
    described = job.describe()["InputDataConfig"]
    channels = {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in described}
    assert channels["files"] == channels["view"]
    _, _, prefix = channels["files"].removeprefix("s3://").partition("/")
    assert aws.list_keys(channels["files"]) == [f"{prefix}sub/a.txt"]


def test_the_functions_own_exception_comes_back(aws: Account) -> None:
    """Whether or not SageMaker stores the output of a job that failed."""

    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        aws.submit(fail).result(timeout=WAIT_S)


def test_a_process_that_dies_is_a_failed_job(aws: Account) -> None:
    """Without a word from it: neither Completed nor a hang."""

    def die() -> None:
        import os

        os._exit(0)

    with pytest.raises(JobFailed):
        aws.submit(die).result(timeout=WAIT_S)


def test_a_job_that_is_stopped_says_so(aws: Account) -> None:
    """StopTrainingJob while the function runs."""

    def sleep() -> None:
        import time

        time.sleep(600)

    job = aws.submit(sleep)
    deadline = time.monotonic() + WAIT_S
    while str(job.secondary_status) != "Training" and time.monotonic() < deadline:
        time.sleep(1)
    assert job.cancel() or job.done()
    with pytest.raises(JobStopped):
        job.result(timeout=WAIT_S)


def test_a_job_that_takes_too_long_is_told_from_one_that_fails(aws: Account) -> None:
    """MaxRuntimeInSeconds."""

    def sleep() -> None:
        import time

        time.sleep(600)

    with pytest.raises(TimedOut):
        aws.submit(sleep, max_runtime_in_seconds=60 if aws.is_amazon else 1).result(timeout=WAIT_S)


def test_a_checkpoint_of_spot_capacity_reaches_s3(aws: Account) -> None:
    """CheckpointConfig is synchronised, and spot capacity is billed for less than it ran."""

    def count() -> int:
        with checkpoint("state") as kept:
            steps = kept.load(default=0) + 1
            kept.save(steps, step=steps)
        return int(steps)

    job = aws.submit(count, use_spot_instances=True, max_wait_time_in_seconds=RUN_S * 2)
    assert job.result(timeout=WAIT_S) == 1
    description = job.describe()
    assert aws.list_keys(description["CheckpointConfig"]["S3Uri"])
    assert description["BillableTimeInSeconds"] <= description["TrainingTimeInSeconds"]


def test_a_warm_pool_takes_the_next_job(aws: Account) -> None:
    """KeepAlivePeriodInSeconds; accounts begin with a quota of none."""

    def nothing() -> int:
        return 1

    try:
        one = aws.submit(nothing, keep_alive_period_in_seconds=300)
    except SubmitError as error:
        pytest.skip(f"warm pools are not to be had: {error.why or error}")
    assert one.result(timeout=WAIT_S) == 1
    two = aws.submit(nothing, keep_alive_period_in_seconds=60)
    assert two.result(timeout=WAIT_S) == 1
    assert one.describe()["WarmPoolStatus"]["Status"] == "Reused"
    assert one.describe()["WarmPoolStatus"]["ReusedByJob"] == two.name


@pytest.mark.usefixtures("only_on_aws")
def test_several_machines_reach_each_other(aws: Account) -> None:
    """Two hosts, one process each; the first one's value comes back."""

    def meet() -> list[str]:
        import json
        import os
        import socket

        hosts = json.loads(os.environ["SM_HOSTS"])
        return [socket.gethostbyname(host) for host in hosts]

    addresses = aws.submit(meet, instance_count=2, use_torchrun=True).result(timeout=WAIT_S)
    assert len(set(addresses)) == 2


@pytest.mark.usefixtures("only_on_aws")
def test_a_job_that_wants_too_much_memory_is_told_so(aws: Account) -> None:
    """How SageMaker ends a container that is killed for memory."""

    def grow() -> int:
        kept = []
        while True:
            kept.append(bytearray(1 << 28))

    with pytest.raises(OutOfMemory):
        aws.submit(grow).result(timeout=WAIT_S)


@pytest.mark.usefixtures("only_on_aws")
def test_a_bucket_of_another_owner_is_not_written_to(aws: Account) -> None:
    """ExpectedBucketOwner."""
    with pytest.raises(StorageError):
        aws.submit(lambda: 1, bucket_owner="999999999999")


@pytest.mark.usefixtures("only_on_aws")
def test_a_role_that_is_not_there_is_refused_and_named(aws: Account) -> None:
    """What SageMaker says of it, in our words."""
    account = boto3.session.Session().client("sts").get_caller_identity()["Account"]
    with pytest.raises(RemoteError, match="no-such-role"):
        aws.submit(lambda: 1, role=f"arn:aws:iam::{account}:role/no-such-role")


@pytest.mark.usefixtures("only_on_aws")
def test_the_doctor_finds_nothing_wrong(aws: Account) -> None:
    """Identity, role, bucket, images and quotas of the account that has just run all this."""
    program = str(Path(sys.executable).with_name("sm-remote"))
    command = [program, "doctor", "--target", "sagemaker", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, json.dumps(json.loads(done.stdout), indent=1)


@pytest.mark.usefixtures("only_on_aws")
def test_prices_are_refreshed_and_the_ledger_knows_the_first_job(first: Job[Any]) -> None:
    """The pricing API's answers are understood, and a job's cost is reckoned from them."""
    program = str(Path(sys.executable).with_name("sm-remote"))
    done = subprocess.run([program, "costs", "refresh-prices"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listing = [program, "costs", "--by", "call", "--since", "1d"]
    told = subprocess.run(listing, capture_output=True, text=True, check=False)
    assert first.name in told.stdout, told.stdout + told.stderr


@pytest.mark.usefixtures("only_on_aws")
def test_the_next_type_is_tried_where_the_first_is_not_to_be_had(aws: Account) -> None:
    """SageMaker's words for a quota that is reached or capacity that is not there."""
    scarce = needs("SM_REMOTE_TEST_AWS_SCARCE_TYPE")
    job = aws.submit(lambda: 1, instance_type=[scarce, aws.instance_type])
    assert job.result(timeout=WAIT_S) == 1
    assert job.describe()["ResourceConfig"]["InstanceType"] == aws.instance_type


@pytest.mark.usefixtures("only_on_aws")
def test_a_secret_is_read_in_the_job_and_stands_in_no_request(aws: Account) -> None:
    """Secrets Manager, by the job's role."""
    name = needs("SM_REMOTE_TEST_AWS_SECRET")

    def measure() -> int:
        import os

        import boto3  # noqa: F401 - so that it travels to an image that lacks it

        return len(os.environ["VERIFIED"])

    job = aws.submit(measure, secrets={"VERIFIED": f"secretsmanager:{name}"})
    secret = aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    assert job.result(timeout=WAIT_S) == len(secret)
    assert secret not in json.dumps(job.describe(), default=str)


@pytest.mark.usefixtures("only_on_aws")
def test_a_key_of_ones_own_encrypts_what_is_stored(aws: Account) -> None:
    """SSE-KMS, by the caller and by the job's role."""
    key = needs("SM_REMOTE_TEST_AWS_KMS_KEY")
    job = aws.submit(lambda: 1, s3_kms_key=key)
    assert job.result(timeout=WAIT_S) == 1
    bucket, _, prefix = job.describe()["OutputDataConfig"]["S3OutputPath"].removeprefix("s3://").partition("/")
    key = f"{prefix}/{job.name}/output/data/sm_remote/outcome"
    outcome = aws.client("s3").head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=aws.owner)
    assert outcome["ServerSideEncryption"] == "aws:kms"


@pytest.mark.usefixtures("only_on_aws")
def test_a_secret_is_read_by_the_job(aws: Account) -> None:
    """GetSecretValue under the job's role. Of the secret only its length leaves the job."""
    name = needs("SM_REMOTE_TEST_AWS_SECRET")

    def measure() -> int:
        import os

        return len(os.environ["SECRET_OF_MINE"])

    job = aws.submit(measure, secrets={"SECRET_OF_MINE": f"secretsmanager:{name}"})
    assert job.result(timeout=WAIT_S) > 0


@pytest.mark.usefixtures("only_on_aws")
def test_a_job_runs_in_ones_own_network(aws: Account) -> None:
    """VpcConfig; the subnets need a way to S3 (a gateway endpoint) and to CloudWatch."""
    subnets = needs("SM_REMOTE_TEST_AWS_SUBNETS").split(",")
    groups = needs("SM_REMOTE_TEST_AWS_SECURITY_GROUP_IDS").split(",")
    assert aws.submit(lambda: 1, subnets=subnets, security_group_ids=groups).result(timeout=WAIT_S) == 1
