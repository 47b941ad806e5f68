"""The command line against a real service with real jobs, as a person and as a program would use it."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sm_remote import Job, attach, remote
from tests.cells import run_cell

pytestmark = pytest.mark.service

COMMAND = [sys.executable, "-c", "from sm_remote.cli import main; main()"]


def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{words}: {done.stdout}\n{done.stderr}"
    assert "sm_remote/cli" not in done.stderr, "a traceback of our own"
    return done


CELL = """
@remote
def score(x):
    print("\\x1b[32mscoring\\x1b[0m\\x1b[2J", x)
    return {"score": x * 2}

@remote
def divide(x, y):
    return x / y

@remote
def wait(seconds):
    import time
    print("waiting", flush=True)
    time.sleep(seconds)
    return "waited"
"""


@pytest.fixture
def functions() -> dict[str, Any]:
    return run_cell(CELL, {"__name__": "__main__", "remote": remote})


@pytest.fixture
def live_job(functions: dict[str, Any]) -> Iterator[Job[str]]:
    job = functions["wait"].submit(600)
    yield job
    job.stop()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_is_listed_shown_and_its_value_read(functions: dict[str, Any], tmp_path: Path) -> None:
    job = functions["score"].submit(21)
    assert job.result() == {"score": 42}
    first = run("jobs").stdout.splitlines()[0].split("\t")
    assert first[:2] == [job.name, "Completed"]
    shown = run("show", job.name[:-3]).stdout
    assert shown.startswith(f"{job.name}\n  status         Completed\n")
    assert "sm_remote:function  score" in shown
    described = json.loads(run("show", job.name, "--json").stdout)
    assert described["status"] == "Completed"
    assert [phase["name"] for phase in described["phases"]][-2:] == ["Uploading", "Completed"]
    assert run("result", job.name).stdout == "{'score': 42}\n"
    assert json.loads(run("result", job.name, "--json").stdout) == {"score": 42}
    file = tmp_path / "value.pkl"
    run("result", job.name, "-o", str(file))
    assert pickle.loads(file.read_bytes()) == {"score": 42}


def test_a_log_is_read_from_another_process(functions: dict[str, Any]) -> None:
    job = functions["score"].submit(3)
    job.result()
    lines = run("logs", job.name).stdout.splitlines()
    assert lines[0].startswith("sm_remote: ")
    assert lines[1:] == ["\x1b[32mscoring\x1b[0m\x1b[2J 3"]
    assert run("logs", "-f", job.name).stdout.splitlines() == lines


def test_a_job_that_raised_exits_with_one_and_its_traceback(functions: dict[str, Any]) -> None:
    job = functions["divide"].submit(2, 0)
    assert isinstance(job.exception(), ZeroDivisionError)
    done = subprocess.run([*COMMAND, "result", job.name], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "return x / y" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "results.py" not in done.stderr
    assert "AlgorithmError: ZeroDivisionError: division by zero" in run("show", job.name).stdout


def test_a_live_job_is_followed_and_stopped(live_job: Job[str]) -> None:
    follower = subprocess.Popen([*COMMAND, "logs", "-f", live_job.name], stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert follower.stdout.readline().startswith("sm_remote: ")
    assert follower.stdout.readline() == "waiting\n"
    assert run("stop", live_job.name).stdout == f"{live_job.name} is being stopped.\n"
    assert follower.wait(120) == 0
    follower.stdout.close()
    assert "was stopped" in run("result", live_job.name, code=1).stderr
    assert run("stop", live_job.name).stdout == f"{live_job.name} has ended already: Stopped.\n"


def test_an_interrupt_of_waiting_leaves_the_job(live_job: Job[str]) -> None:
    waiting = subprocess.Popen([*COMMAND, "result", live_job.name], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: str(live_job.secondary_status) == "Training")
    wait_until(lambda: len(os.listdir(f"/proc/{waiting.pid}/task")) > 1)  # the thread that watches the job
    time.sleep(0.5)  # until it waits for that one, which nothing outside of it tells
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=120)
    assert waiting.returncode == 130
    assert f"Training job {live_job.name} goes on." in told
    assert "Traceback" not in told
    assert str(live_job.status) == "InProgress"


def test_an_unknown_name_is_answered_with_close_matches(functions: dict[str, Any]) -> None:
    job = functions["score"].submit(1)
    job.result()
    told = run("show", job.name.replace("score", "scoer"), code=1).stderr
    assert "Traceback" not in told
    assert "There is no training job 'scoer" in told
    assert job.name in told


def test_any_aws_client_can_be_pointed_at_the_service(functions: dict[str, Any]) -> None:
    job = functions["score"].submit(1)
    job.result()
    variables = json.loads(run("service", "env", "--json").stdout)
    program = "import boto3; print(boto3.client('sagemaker').list_training_jobs()['TrainingJobSummaries'][0])"
    environ = {**os.environ, **variables}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert job.name in done.stdout
    identity = boto3.client(
        "sts",
        endpoint_url=variables["AWS_ENDPOINT_URL_STS"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    ).get_caller_identity()
    assert identity["Account"] == "000000000000"


def test_the_service_starts_and_ends_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_REMOTE_HOME", str(tmp_path / "home"))
    assert "does not run" in run("service", "status", code=1).stdout
    run("doctor")
    assert "does not run" in run("service", "status", code=1).stdout, "the doctor started it"
    assert "engine   process" in run("service", "start").stdout
    process = json.loads(run("service", "status", "--json").stdout)["process"]
    assert "Serving on port" in run("service", "logs").stdout
    assert run("jobs").stdout == ""
    assert "has ended" in run("service", "stop").stdout
    assert "does not run" in run("service", "status", code=1).stdout
    wait_until(lambda: not Path(f"/proc/{process}").exists())


def test_a_home_named_relative_to_the_working_directory_is_the_services_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SM_REMOTE_HOME", "state")
    assert f"state    {tmp_path}/state\n" in run("service", "start").stdout
    run("service", "stop")


def test_a_job_survives_a_stop_of_the_service(functions: dict[str, Any]) -> None:
    job = functions["wait"].submit(4)
    wait_until(lambda: str(job.secondary_status) == "Training")
    assert "1 live job goes on" in run("service", "stop").stdout
    assert run("result", job.name).stdout == "'waited'\n"
    assert attach(job.name).result() == "waited"
