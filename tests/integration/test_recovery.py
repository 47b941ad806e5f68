"""Jobs outlive the service: killed at any moment, it is started again by the next call, and nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_remote import attach, list_jobs, remote
from sm_remote.aws.local_service import ServiceOptions, call_service, ensure_service, find_service, stop_service
from sm_remote.errors import CorruptBlob, JobNameInUse, OutcomeMissing, ServiceUnavailable
from sm_remote.home import Home, find_home, read_discovery, write_discovery
from tests.cells import run_cell

pytestmark = pytest.mark.service


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home and service of this test alone, on the process engine."""
    monkeypatch.setenv("SM_REMOTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SM_REMOTE_ENGINE", "process")
    home = find_home()
    yield home
    found = find_service(home)
    if found is not None:
        stop_service(home, found[0])


def define(source: str) -> dict[str, Any]:
    return run_cell(source, {"__name__": "__main__", "remote": remote})


NAP = """
    import time
    @remote(stream_logs=False)
    def nap(s):
        print("before", flush=True)
        time.sleep(s)
        print("after", flush=True)
        return s
"""


def kill_service(home: Home) -> int:
    discovery = read_discovery(home)
    assert discovery is not None
    os.kill(discovery.pid, signal.SIGKILL)
    return discovery.pid


def wait_for(condition: Any, limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def test_a_running_job_survives_the_services_death(home: Home) -> None:
    job = define(NAP)["nap"].submit(2)
    wait_for(lambda: job.secondary_status == "Training")
    pid = kill_service(home)
    assert job.result(timeout=120) == 2
    discovery = read_discovery(home)
    assert discovery is not None
    assert discovery.pid != pid
    lines = list(job.logs())
    assert lines.count("before") == 1
    assert lines.count("after") == 1


def test_a_job_that_ended_while_the_service_was_dead_is_collected(home: Home) -> None:
    job = define(NAP)["nap"].submit(1)
    wait_for(lambda: "before" in list(job.logs()))
    kill_service(home)
    time.sleep(2)
    assert job.result(timeout=120) == 1


def test_queued_jobs_run_after_the_services_death(home: Home) -> None:
    nap = define(NAP)["nap"]
    jobs = [nap.submit(0.3) for _ in range(4)]
    kill_service(home)
    assert [job.result(timeout=120) for job in jobs] == [0.3] * 4


@pytest.mark.slow
def test_repeated_kills_lose_no_job_and_run_none_twice(home: Home) -> None:
    nap = define(NAP)["nap"]
    jobs = [nap.submit(0.1) for _ in range(12)]
    for _ in range(6):
        wait_for(lambda: find_service(home) is not None)
        time.sleep(0.25)
        kill_service(home)
    assert [job.result(timeout=120) for job in jobs] == [0.1] * 12
    for job in jobs:
        assert list(job.logs()).count("after") == 1
    assert len(list_jobs(limit=None)) == 12


def test_a_killed_container_ends_with_its_true_reason(home: Home) -> None:
    job = define(
        "import os, time\n@remote(stream_logs=False)\ndef f():\n    os.kill(os.getppid(), 9)\n    time.sleep(60)"
    )["f"].submit()
    error = job.exception(timeout=120)
    assert "137" in str(error) or "SIGKILL" in str(error)
    assert str(job.status) == "Failed"


def test_an_altered_outcome_is_not_loaded(home: Home) -> None:
    job = define("@remote(stream_logs=False)\ndef f():\n    return [1, 2, 3]")["f"].submit()
    jobs = home.store / "sm-remote-local" / "sm_remote" / "jobs"
    path = jobs / job.name / "output" / "data" / "sm_remote" / "outcome"
    assert job.result(timeout=120) == [1, 2, 3]
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-70] ^= 1
    path.write_bytes(content)
    error = attach(job.name).exception(timeout=120)
    assert isinstance(error, OutcomeMissing)
    assert isinstance(error.__cause__, CorruptBlob)


def test_a_corrupted_blob_of_the_store_fails_before_it_is_unpickled(home: Home) -> None:
    import numpy as np

    total = define("@remote(stream_logs=False)\ndef total(a):\n    return float(a.sum())")["total"]
    array = np.arange(300_000.0)
    assert total(array) == array.sum()
    blobs = home.store / "sm-remote-local" / "sm_remote" / "blobs"
    biggest = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    biggest.chmod(0o644)
    content = bytearray(biggest.read_bytes())
    content[1000] ^= 1
    biggest.write_bytes(content)
    with pytest.raises(Exception, match=r"digest|altered|corrupt"):
        total(array)


def test_a_service_of_another_version_is_replaced_when_idle_and_left_alone_when_busy(home: Home) -> None:
    discovery = ensure_service(home, ServiceOptions(engine="process"))
    found = find_service(home)
    assert found is not None
    assert found[1]["Version"]
    call_service(discovery, "Shutdown", {})
    wait_for(lambda: find_service(home) is None)
    nap = define(NAP)["nap"]
    job = nap.submit(2)
    wait_for(lambda: job.secondary_status == "Training")
    with pytest.raises(ServiceUnavailable, match="live job"):
        ensure_service(home, ServiceOptions(engine="docker"))
    assert job.result(timeout=120) == 2


def test_a_stale_discovery_file_is_no_obstacle(home: Home) -> None:
    discovery = ensure_service(home, ServiceOptions(engine="process"))
    kill_service(home)
    write_discovery(home, discovery)
    assert define("@remote(stream_logs=False)\ndef f():\n    return 5")["f"]() == 5


def test_a_name_is_used_once(home: Home) -> None:
    from sm_remote.jobs.attach import connect_with
    from sm_remote.settings import resolve_settings

    job = define("@remote(stream_logs=False)\ndef f():\n    return 5")["f"].submit()
    job.result(timeout=120)
    api = connect_with(resolve_settings({})).training_jobs
    request = {
        "TrainingJobName": job.name,
        "RoleArn": "arn:aws:iam::000000000000:role/sm-remote-local",
        "AlgorithmSpecification": {"TrainingImage": "other", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/sm_remote/jobs"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    with pytest.raises(JobNameInUse, match=job.name):
        api.create(request)


def test_nothing_is_left_behind_once_the_service_went_idle(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_REMOTE_SERVICE_IDLE_S", "0.5")
    assert define("@remote(stream_logs=False)\ndef f():\n    return 5")["f"]() == 5
    discovery = read_discovery(home)
    assert discovery is not None
    wait_for(lambda: not Path(f"/proc/{discovery.pid}").exists() or is_zombie(discovery.pid))
    assert not list(home.jobs.iterdir())
    modes = {path: path.stat().st_mode & 0o077 for path in home.data.rglob("*") if path.is_file()}
    assert not [path for path in (home.service).rglob("*") if path.is_file() and modes[path]]


def is_zombie(pid: int) -> bool:
    return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
