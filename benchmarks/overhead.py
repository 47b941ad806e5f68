"""What the local training service adds to a job's start: CreateTrainingJob to its running container, less the engine's.

Client and service are processes of their own and share the monotonic clock. The clock starts before boto3 builds the
request and ends when the engine's `start` has returned; what the engine itself took in between (making the image
available, creating and starting the container) is taken off. What is left is HTTP, signature, validation, commits,
staging of channels, configuration files, and threads waking each other.
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
from botocore.config import Config
from measure import describe_machine, quantile, show_figure, state_of_its_own

from sm_remote.capture.interpreter import describe_interpreter, local_image_uri, register_interpreter
from sm_remote.home import LOCAL_BUCKET, Discovery, Home, find_home, read_discovery
from sm_remote.service.__main__ import main as run_service
from sm_remote.service.engines.engine import ContainerSpec, Engine

JOBS = 60
WARM_UPS = 5
OBJECTS = 100
GOAL_MS = 30.0
_STARTS = "starts.jsonl"


class Stopwatch:
    """An engine, and a note of each start: when it was done, and what the engine took for that job."""

    def __init__(self, engine: Engine, notes: Path) -> None:
        self._engine = engine
        self._notes = notes
        self._taken_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def prepare_image(self, *arguments: Any) -> None:
        began = time.monotonic()
        self._engine.prepare_image(*arguments)
        self._taken_s += time.monotonic() - began

    def start(self, spec: ContainerSpec) -> None:
        began = time.monotonic()
        self._engine.start(spec)
        ended = time.monotonic()
        note = {"job": spec.labels["sm_remote.job"], "at": ended, "engine_s": self._taken_s + ended - began}
        self._taken_s = 0.0  # jobs take turns here
        with self._notes.open("a") as file:
            file.write(json.dumps(note) + "\n")


def serve() -> int:
    """Runs the service in this process."""
    from sm_remote.service.engines.choice import open_engine

    def open_timed(choice: str, home: Home) -> Any:
        return Stopwatch(open_engine(choice, home), home.data / _STARTS)

    return run_service(open_engine=open_timed)


def wait_for_service(home: Home) -> Discovery:
    while True:
        found = read_discovery(home)
        if found is not None:
            return found
        time.sleep(0.01)


def build_request(name: str, image: str, *, channels: bool) -> dict[str, Any]:
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-c"],
            "ContainerArguments": ["pass"],
        },
        "RoleArn": "arn:aws:iam::000000000000:role/sm-remote-local",
        "OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/jobs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "EnableNetworkIsolation": True,
    }
    if channels:
        source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/data/"}
        request["InputDataConfig"] = [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]
    return request


def run_job(client: Any, request: dict[str, Any], notes: Path) -> tuple[float, float]:
    """Runs one job to its end; gives the seconds to its container's start, and of these the engine's."""
    began = time.monotonic()
    client.create_training_job(**request)
    while True:
        status = client.describe_training_job(TrainingJobName=request["TrainingJobName"])["TrainingJobStatus"]
        if status != "InProgress":
            break
        time.sleep(0.05)
    if status != "Completed":
        raise RuntimeError(f"{request['TrainingJobName']} is {status}")
    note = next(
        note
        for note in map(json.loads, reversed(notes.read_text().splitlines()))
        if note["job"] == request["TrainingJobName"]
    )
    return note["at"] - began, note["engine_s"]


def measure(engine: str) -> None:
    with state_of_its_own(engine) as directory:
        home = find_home()
        interpreter = describe_interpreter()
        register_interpreter(home, interpreter)
        data = home.store / LOCAL_BUCKET / "data"
        data.mkdir(parents=True)
        for number in range(OBJECTS):
            (data / f"{number}.csv").write_bytes(b"x" * 1000)
        service = subprocess.Popen([sys.executable, __file__, "--serve"], stderr=subprocess.DEVNULL)
        try:
            discovery = wait_for_service(home)
            client = boto3.client(
                "sagemaker",
                endpoint_url=discovery.endpoint_url,
                region_name="us-east-1",
                aws_access_key_id=discovery.access_key,
                aws_secret_access_key=discovery.secret_key,
                config=Config(retries={"total_max_attempts": 1}, proxies={}),
            )
            print(f"\nFrom CreateTrainingJob to a running container, engine {engine!r}, {JOBS} jobs each")
            for title, channels in (("no input", False), (f"a channel of {OBJECTS} objects", True)):
                taken = [
                    run_job(
                        client,
                        build_request(f"job-{number}-{int(channels)}", local_image_uri(interpreter), channels=channels),
                        directory / _STARTS,
                    )
                    for number in range(WARM_UPS + JOBS)
                ][WARM_UPS:]
                ours = [1000 * (whole - engines) for whole, engines in taken]
                theirs = [1000 * engines for _, engines in taken]
                print(
                    f"  {title}: ours p50 {quantile(ours, 0.5):.1f}, p95 {quantile(ours, 0.95):.1f}, "
                    f"best {min(ours):.1f} ms; the engine's p50 {quantile(theirs, 0.5):.0f} ms"
                )
                show_figure(f"service overhead, {title}, p50", quantile(ours, 0.5), GOAL_MS, "ms")
        finally:
            service.terminate()
            service.wait()


def main() -> int:
    if "--serve" in sys.argv:
        return serve()
    print(describe_machine())
    for engine in os.environ.get("SM_REMOTE_BENCH_ENGINES", "docker process").split():
        measure(engine)
    return 0


if __name__ == "__main__":
    sys.exit(main())
