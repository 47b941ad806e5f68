"""The real service in this process, on a socket, with an engine of the test's choice; and boto3 clients for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from sm_remote.home import Discovery, Home
from sm_remote.service.app import LocalService, ServiceConfig
from sm_remote.service.engines.engine import Engine
from sm_remote.service.hosts.capacity import Capacity

HOST = Capacity(cpus=4.0, memory_bytes=16 << 30, gpus=0)


@contextmanager
def serve(
    home: Home,
    engine: Engine,
    *,
    host: Capacity = HOST,
    config: ServiceConfig | None = None,
    clock: Callable[[], float] = time.time,
    reach: Callable[[str], None] = lambda point: None,
) -> Iterator[Discovery]:
    """Runs the service on a loop in a thread; ends it, leaving jobs as they are, on the way out."""
    ready: threading.Event = threading.Event()
    found: list[Any] = []

    async def run() -> None:
        service = LocalService(
            home=home,
            engine=engine,
            host=host,
            config=config or ServiceConfig(stop_grace_s=5.0),
            clock=clock,
            reach=reach,
        )

        def say_ready(discovery: Discovery) -> None:
            found.extend([discovery, service, asyncio.get_running_loop()])
            ready.set()

        await service.run(say_ready)

    failure: list[BaseException] = []

    def body() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failure.append(error)
            ready.set()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    assert ready.wait(120)
    if failure:
        raise failure[0]
    discovery, service, loop = found
    try:
        yield discovery
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(service.end)
        thread.join(120)
        assert not thread.is_alive()


def make_client(discovery: Discovery, service: str = "sagemaker", **options: Any) -> Any:
    """An ordinary boto3 client pointed at the service."""
    return boto3.client(
        service,
        endpoint_url=discovery.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=options.get("access_key", discovery.access_key),
        aws_secret_access_key=options.get("secret_key", discovery.secret_key),
        config=Config(retries={"total_max_attempts": 1}, read_timeout=120, proxies={}),
    )


def build_request(name: str = "fit-1", **members: Any) -> dict[str, Any]:
    """The least that CreateTrainingJob needs."""
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "my-image", "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::000000000000:role/sm-remote-local",
        "OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/jobs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    for member, value in members.items():
        if isinstance(value, dict) and isinstance(request.get(member), dict):
            value = {**request[member], **value}
        request[member] = value
    return request


def wait_for_end(client: Any, name: str, timeout_s: float = 120.0) -> dict[str, Any]:
    """Polls until a job has ended."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        description: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
        if description["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
            return description
        time.sleep(0.01)
    raise AssertionError(f"{name} is still {description['TrainingJobStatus']}/{description['SecondaryStatus']}")


def wait_until(condition: Callable[[], Any], timeout_s: float = 120.0) -> Any:
    """Polls until something is true, and returns it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError("it never came true")


def statuses(description: dict[str, Any]) -> list[str]:
    """The sequence of secondary statuses."""
    return [entry["Status"] for entry in description["SecondaryStatusTransitions"]]
