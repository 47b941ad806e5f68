"""A local training service with an S3 server, as AWS's own clients see it: some environment variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sm_remote.aws.local_service import find_service, stop_service
from sm_remote.home import Home

ROOT = Path(__file__).parents[2]
BUCKET = "clients"
ROLE = "arn:aws:iam::111122223333:role/Training"
_NEVER_PASSED_ON = ("AWS_", "SM_REMOTE_", "PYTHON", "PIP_", "UV_")
LIMIT_S = 240


@dataclass(frozen=True, kw_only=True)
class LocalAws:
    """A running service.

    Attributes:
        home: Its state.
        workplace: Where programs run: their own home directory.
        variables: What `sm-remote service env` prints.
    """

    home: Home
    workplace: Path
    variables: dict[str, str] = field(repr=False)

    def client(self, service: str, **more: Any) -> Any:
        """boto3, pointed by the variables' values."""
        name = {"logs": "CLOUDWATCH_LOGS"}.get(service, service.upper())
        return boto3.session.Session().client(
            service,
            endpoint_url=self.variables[f"AWS_ENDPOINT_URL_{name}"],
            region_name=self.variables["AWS_REGION"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
            **more,
        )

    def environment(self) -> dict[str, str]:
        """Of a program that knows nothing but these variables; what the machine says of networks stays."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NEVER_PASSED_ON)}
        return {**kept, **self.variables, "HOME": str(self.workplace), "BUCKET": BUCKET, "ROLE": ROLE}

    def run(self, *words: str | Path, code: int = 0) -> str:
        """Runs a client's program; gives what it printed."""
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.workplace,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_program(self, environment: str, program: str, *words: str) -> tuple[Any, str]:
        """Runs a program of tests/clients/programs in a client's environment; gives what it found, and its output."""
        python = ROOT / ".clients" / environment / "bin" / "python"
        output = self.run(python, ROOT / "tests" / "clients" / "programs" / program, *words)
        (found,) = [line for line in output.splitlines() if line.startswith("FOUND ")]
        return json.loads(found.removeprefix("FOUND ")), output

    def train(self, image: str, **request: Any) -> dict[str, Any]:
        """Runs a training job to its end by boto3; gives its description. Members may be given whole or in part."""
        client = self.client("sagemaker")
        algorithm = {"TrainingImage": image, "TrainingInputMode": "File", **request.pop("AlgorithmSpecification", {})}
        name = request.pop("TrainingJobName")
        client.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification=algorithm,
            RoleArn=ROLE,
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 120},
            **request,
        )
        waiter = client.get_waiter("training_job_completed_or_stopped")
        try:
            waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": LIMIT_S})
        except Exception as error:
            # A failed job is an answer too.
            if "terminal failure state" not in str(error):
                raise
        found: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
        return found

    def read_log(self, job_name: str) -> list[str]:
        """All lines of a job's log, by CloudWatch's API."""
        logs = self.client("logs")
        group = "/aws/sagemaker/TrainingJobs"
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job_name}/")["logStreams"]
        names = [stream["logStreamName"] for stream in streams]
        pages = [logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True) for name in names]
        return [event["message"] for page in pages for event in page["events"]]

    def read_object(self, uri: str) -> bytes:
        """An object's content."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content


def start_local_aws(home: Home, workplace: Path, *options: str) -> LocalAws:
    """Starts a service by the command line, and asks it for the variables as a user does."""

    def ask(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", "from sm_remote.cli import main; main()", "service", *words],
            env={**os.environ, "SM_REMOTE_HOME": str(home.data), "SM_REMOTE_ENGINE": "docker"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
        ).stdout

    ask("start", *options)
    return LocalAws(home=home, workplace=workplace, variables=json.loads(ask("env", "--json")))


def stop_local_aws(home: Home) -> None:
    """Ends a service."""
    found = find_service(home)
    if found is not None:
        stop_service(home, found[0])
