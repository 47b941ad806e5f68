"""A job of a warm pool starts in a fresh container that has been waiting for it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.service.engines.docker.connection import connect_docker
from sm_remote.service.engines.docker.engine import DockerEngine
from tests.engines import record_interpreter
from tests.fakes.service import build_request, make_client, serve, wait_for_end, wait_until

pytestmark = [pytest.mark.docker]

LOOK = """
import json, os
found = {
    "pid": os.getppid(),
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "tmp": os.listdir("/tmp"),
    "root": os.path.exists("/canary"),
    "model": os.listdir("/opt/ml/model"),
    "cache": os.listdir(os.environ["SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"]),
    "said": os.environ.get("SAID"),
    "name": os.environ["TRAINING_JOB_NAME"],
    "hyperparameters": json.load(open("/opt/ml/input/config/hyperparameters.json")),
    "directory": os.getcwd(),
}
for place in ("/tmp/canary", "/opt/ml/model/m", os.environ["SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"] + "/kept"):
    open(place, "w").write(found["name"])
print("it's running", flush=True)
json.dump(found, open("/opt/ml/output/data/found.json", "w"))
"""


@pytest.fixture
def client(home: Home) -> Iterator[Any]:
    engine = DockerEngine(connect_docker(os.environ), home)
    with serve(home, engine) as found:
        yield make_client(found)
    engine.close()


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """Removes what a pool that is kept holds ready."""
    yield
    docker = connect_docker(os.environ)
    for container in docker.containers(all=True, filters={"name": f"smr-pool-{PREFIX}"}):
        docker.remove_container(container["Id"], force=True)
    docker.close()


PREFIX = f"t{os.getpid()}-"
"""Before each job's name: the daemon is shared with other runs of the tests."""


@pytest.fixture
def image(home: Home) -> str:
    return record_interpreter(home)


@pytest.fixture
def code(home: Home) -> dict[str, Any]:
    path = home.store / LOCAL_BUCKET / "code" / "look.py"
    path.parent.mkdir(parents=True)
    path.write_text(LOOK)
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/code/"}
    return {"ChannelName": "code", "DataSource": {"S3DataSource": source}}


def create(client: Any, name: str, image: str, code: dict[str, Any], **members: Any) -> None:
    client.create_training_job(
        **build_request(
            PREFIX + name,
            AlgorithmSpecification={
                "TrainingImage": image,
                "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/look.py"],
            },
            ResourceConfig={"KeepAlivePeriodInSeconds": 60},
            OutputDataConfig={"CompressionType": "NONE"},
            InputDataConfig=[code],
            **members,
        )
    )


def run(client: Any, name: str, image: str, code: dict[str, Any], **members: Any) -> dict[str, Any]:
    create(client, name, image, code, **members)
    description = wait_for_end(client, PREFIX + name, 120)
    assert description["TrainingJobStatus"] == "Completed", description
    return description


def read_found(home: Home, name: str) -> dict[str, Any]:
    path = home.store / LOCAL_BUCKET / "jobs" / (PREFIX + name) / "output/data/found.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def wait_for_standby(home: Home, name: str) -> None:
    wait_until(lambda: list(home.pools.glob(f"*/standby/{PREFIX}{name}/standby.json")))


def test_a_warm_job_is_a_fresh_process_in_a_fresh_container(client: Any, home: Home, image: str, code: Any) -> None:
    run(client, "cold", image, code, Environment={"SAID": "1"})
    first = read_found(home, "cold")
    wait_for_standby(home, "cold")
    run(client, "warm", image, code, Environment={"SAID": "it's $HOME"}, HyperParameters={"epochs": "5"})
    second = read_found(home, "warm")
    assert (
        client.describe_training_job(TrainingJobName=PREFIX + "cold")["WarmPoolStatus"]["ReusedByJob"]
        == PREFIX + "warm"
    )
    assert first == {
        "pid": 1,
        "processes": 2,
        "tmp": [],
        "root": False,
        "model": [],
        "cache": [],
        "said": "1",
        "name": PREFIX + "cold",
        "hyperparameters": {},
        "directory": first["directory"],
    }
    assert second == {
        **first,
        "cache": ["kept"],
        "said": "it's $HOME",
        "name": PREFIX + "warm",
        "hyperparameters": {"epochs": "5"},
    }
    wait_for_standby(home, "warm")


def test_nothing_is_left_of_a_pool_that_has_ended(client: Any, home: Home, image: str, code: Any) -> None:
    run(client, "only", image, code)
    wait_for_standby(home, "only")
    client.update_training_job(TrainingJobName=PREFIX + "only", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    wait_until(lambda: not list(home.pools.iterdir()))
    docker = connect_docker(os.environ)
    assert docker.containers(all=True, filters={"name": f"smr-pool-{PREFIX}only"}) == []
    docker.close()


@pytest.mark.parametrize("point", ["pool.after_claim", "container.before_start", "container.after_start"])
def test_a_warm_job_whose_service_dies_runs_once(home: Home, image: str, code: Any, point: str) -> None:
    """The service's threads stop at the point, for ever; another service takes over."""
    engine = DockerEngine(connect_docker(os.environ), home)
    stuck = threading.Event()
    started = threading.Event()

    def reach(name: str) -> None:
        if name == point and started.is_set():
            stuck.set()
            threading.Event().wait(3600)

    with serve(home, engine, reach=reach) as found:
        client = make_client(found)
        run(client, "cold", image, code)
        wait_for_standby(home, "cold")
        started.set()
        create(client, "warm", image, code)
        assert stuck.wait(120)
    with serve(home, engine) as found:
        description = wait_for_end(make_client(found), PREFIX + "warm", 120)
    assert description["TrainingJobStatus"] == "Completed", description
    assert read_found(home, "warm")["name"] == PREFIX + "warm"
    engine.close()
