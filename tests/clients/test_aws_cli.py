"""The AWS CLI as it is, pointed here by environment variables alone."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import BuildImage
from tests.clients.local_aws import BUCKET, ROLE, LocalAws

pytestmark = [pytest.mark.docker, pytest.mark.service, pytest.mark.slow]


class Cli:
    """`aws`, run as a program."""

    def __init__(self, aws: LocalAws, program: Path) -> None:
        self._aws = aws
        self._program = program
        self._sagemaker = aws.client("sagemaker")

    def __call__(self, *words: str, code: int = 0) -> Any:
        text = self._aws.run(self._program, *words, "--output", "json", code=code)
        return json.loads(text) if text.lstrip().startswith(("{", "[")) else text

    def create(self, name: str, image: str, *shell: str) -> Any:
        """Starts a job that runs a shell command."""
        algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
        if shell:
            algorithm |= {"ContainerEntrypoint": ["/bin/sh", "-c"], "ContainerArguments": list(shell)}  # type: ignore[dict-item]
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/"}
        return self(
            *("sagemaker", "create-training-job", "--training-job-name", name, "--role-arn", ROLE),
            *("--algorithm-specification", json.dumps(algorithm)),
            *("--input-data-config", json.dumps([{"ChannelName": "train", "DataSource": {"S3DataSource": source}}])),
            *("--output-data-config", f"S3OutputPath=s3://{BUCKET}/cli"),
            *("--resource-config", "InstanceType=ml.m5.large,InstanceCount=1,VolumeSizeInGB=1"),
            *("--stopping-condition", "MaxRuntimeInSeconds=300"),
            *("--hyper-parameters", "epochs=2"),
        )

    def wait(self, name: str, *, code: int = 0) -> None:
        """Waits by `aws wait`, which looks every two minutes: it is called once there is nothing to wait for."""
        self.watch(name, "TrainingJobStatus", {"Completed", "Failed", "Stopped"})
        self("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", name, code=code)

    def watch(self, name: str, member: str, values: set[str]) -> None:
        """Looks until a member of the job's description is one of some values: by boto3, which starts no program."""
        deadline = time.monotonic() + 120
        while self._sagemaker.describe_training_job(TrainingJobName=name)[member] not in values:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def read_log(self, name: str) -> list[str]:
        """A job's log, by `aws logs`."""
        group = ("--log-group-name", "/aws/sagemaker/TrainingJobs")
        (stream,) = self("logs", "describe-log-streams", *group, "--log-stream-name-prefix", f"{name}/")["logStreams"]
        events = self("logs", "get-log-events", *group, "--log-stream-name", stream["logStreamName"])["events"]
        return [event["message"] for event in events]


@pytest.fixture
def cli(aws: LocalAws, client_environments: Path) -> Cli:
    return Cli(aws, client_environments / "cli" / "bin" / "aws")


def test_a_job_from_its_request_to_its_model(cli: Cli, image: BuildImage, job_name: str) -> None:
    created = cli.create(job_name, image("algorithm"))
    assert created["TrainingJobArn"].endswith(f":training-job/{job_name}")
    cli.wait(job_name)
    done = cli("sagemaker", "describe-training-job", "--training-job-name", job_name)
    assert (done["TrainingJobStatus"], done["HyperParameters"]) == ("Completed", {"epochs": "2"})
    assert cli.read_log(job_name)[-2:] == ["epoch 0 loss=1.000", "epoch 1 loss=0.500"]
    assert re.search(r"model\.tar\.gz", cli("s3", "ls", f"s3://{BUCKET}/cli/{job_name}/output/"))
    listed = cli("sagemaker", "list-training-jobs", "--name-contains", job_name)["TrainingJobSummaries"]
    assert [each["TrainingJobStatus"] for each in listed] == ["Completed"]


def test_a_job_is_stopped_and_waited_for(cli: Cli, image: BuildImage, job_name: str) -> None:
    cli.create(job_name, image("plain"), "echo begun; exec sleep 300")
    cli.watch(job_name, "SecondaryStatus", {"Training"})
    cli("sagemaker", "stop-training-job", "--training-job-name", job_name)
    cli.wait(job_name)
    done = cli("sagemaker", "describe-training-job", "--training-job-name", job_name)
    assert done["TrainingJobStatus"] == "Stopped"
    assert "begun" in cli.read_log(job_name)


def test_a_failed_job_gives_the_waiters_exit_code_and_its_reason(cli: Cli, image: BuildImage, job_name: str) -> None:
    cli.create(job_name, image("plain"), "echo no luck >/opt/ml/output/failure; exit 3")
    cli.wait(job_name, code=255)
    done = cli("sagemaker", "describe-training-job", "--training-job-name", job_name)
    assert done["FailureReason"] == "AlgorithmError: no luck, exit code: 3"


def test_who_asks_and_which_roles_there_are(cli: Cli) -> None:
    """The SDKs ask both before they send a job; nothing here assumes a role or denies anything."""
    assert cli("sts", "get-caller-identity")["Account"] == "000000000000"
    role = cli("iam", "get-role", "--role-name", "Training")["Role"]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/Training"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    simulated = cli(
        *("iam", "simulate-principal-policy", "--policy-source-arn", role["Arn"]),
        *("--action-names", "s3:GetObject", "s3:PutObject"),
    )
    assert [each["EvalDecision"] for each in simulated["EvaluationResults"]] == ["allowed", "allowed"]


def test_a_job_is_found_by_what_it_printed_what_it_used_and_what_it_is(
    cli: Cli, image: BuildImage, job_name: str
) -> None:
    cli.create(job_name, image("plain"), "echo begun; sleep 4; echo done")
    cli.wait(job_name)
    group = ("--log-group-name", "/aws/sagemaker/TrainingJobs", "--log-stream-name-prefix", f"{job_name}/")
    events = cli("logs", "filter-log-events", *group, "--filter-pattern", "?begun ?done")["events"]
    assert [event["message"] for event in events] == ["begun", "done"]
    filters = [{"Name": "TrainingJobName", "Operator": "Equals", "Value": job_name}]
    found = cli(
        "sagemaker", "search", "--resource", "TrainingJob", "--search-expression", json.dumps({"Filters": filters})
    )
    assert [each["TrainingJob"]["TrainingJobStatus"] for each in found["Results"]] == ["Completed"]
    host = f"Name=Host,Value={job_name}/algo-1"
    namespace = ("--namespace", "/aws/sagemaker/TrainingJobs")
    listed = cli("cloudwatch", "list-metrics", *namespace, "--dimensions", host)["Metrics"]
    assert {each["MetricName"] for each in listed} == {"CPUUtilization", "MemoryUtilization", "DiskUtilization"}
    used = cli(
        *("cloudwatch", "get-metric-statistics", *namespace, "--metric-name", "MemoryUtilization"),
        *("--dimensions", host, "--period", "60", "--statistics", "Maximum"),
        *("--start-time", "2026-01-01T00:00:00Z", "--end-time", "2100-01-01T00:00:00Z"),
    )["Datapoints"]
    assert all(0 < point["Maximum"] < 100 and point["Unit"] == "Percent" for point in used)
    assert used
