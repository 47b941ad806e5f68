"""A decorated function on spot capacity: it is taken away, and the value is the one of an uninterrupted run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_remote import CheckpointLocation, checkpoint, remote
from sm_remote.aws.local_service import call_service
from sm_remote.errors import ConfigError, JobFailed
from sm_remote.jobs.attach import connect_with
from sm_remote.settings import resolve_settings
from tests.cells import run_cell

pytestmark = pytest.mark.service

HOLDS_AT = 10
# The first attempt stays at its tenth step until it is interrupted; with SIGTERM ignored until it is killed.
SOURCE = """
@remote(use_spot_instances=True, max_runtime_in_seconds=120, **settings)
def train(steps, mark):
    import pathlib
    import signal
    import time

    with checkpoint("state") as ckpt:
        done = ckpt.load(default=[])
        print("begins at", len(done))
        stays = not done and {holds}
        if stays and {deaf}:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for step in range(len(done), steps):
            time.sleep(0.05)
            done.append(step)
            ckpt.save(done, step=step, metric=1 / (1 + step))
            if stays and step == 10:
                print("stays")
            while stays and step == 10 and not ckpt.interrupted:
                time.sleep(0.01)
            if ckpt.interrupted:
                break
    return done
"""


def define(*, holds: bool = False, deaf: bool = False, **settings: Any) -> Any:
    names = {"__name__": "__main__", "remote": remote, "checkpoint": checkpoint, "settings": settings}
    source = SOURCE.replace("{deaf}", str(deaf)).replace("{holds}", str(holds)).replace("10", str(HOLDS_AT))
    return run_cell(source, names)["train"]


def interrupt(job: Any) -> None:
    """Takes away the spot capacity of a job that runs."""
    discovery = job._connection.training_jobs.session.discovery
    call_service(discovery, "InterruptTrainingJob", {"TrainingJobName": job.name})


@pytest.mark.parametrize("deaf", [False, True])
def test_an_interrupted_job_gives_the_value_of_an_uninterrupted_one(
    engine: str, deaf: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    grace_s = "0.2" if deaf else "120"
    train = define(holds=True, deaf=deaf, tags={"sm_remote:interrupt-grace": grace_s})
    job = train.submit(20, f"{engine} {deaf}")
    assert "stays" in job.logs(follow=True)
    interrupt(job)
    assert job.result(240) == list(range(20))
    first, second = job.attempts
    assert (first.cause, second.cause) == ("Interrupted", "Completed")
    assert second.resumed_step == HOLDS_AT
    assert first.lost_s is not None
    assert first.lost_s < first.duration_s
    lines = list(job.logs())
    boundary = lines.index("---- attempt 2 ----")
    assert "begins at 0" in lines[:boundary]
    assert f"begins at {second.resumed_step + 1}" in lines[boundary:]
    assert [phase.name for phase in job.timeline()].count("Interrupted") == 1


def test_what_is_filled_in_and_what_it_cost_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert define()(3, "said") == [0, 1, 2]
    lines = capsys.readouterr().out.splitlines()
    assert "at most 180 s in all" in lines[0]
    assert lines[1].startswith("sm_remote: checkpoints are kept in s3://sm-remote-local/sm_remote/checkpoints/train/")
    assert lines[-1].startswith("Managed Spot Training savings: ")


def test_a_call_with_other_arguments_begins_anew_and_a_failed_one_is_taken_up(engine: str) -> None:
    @remote(use_spot_instances=True, max_runtime_in_seconds=60)
    def train(key: str, fails: CheckpointLocation | None = None) -> int:
        with checkpoint("state") as ckpt:
            step = ckpt.load(default=0) + 1
            ckpt.save(step, step=step)
            if step < 3:
                raise RuntimeError(f"step {step}")
        return step

    for step in (1, 2):
        with pytest.raises(RuntimeError, match=f"step {step}"):
            train(engine)
    with pytest.raises(RuntimeError, match="step 1"):
        train(engine + "other")
    assert train(engine) == 3
    with pytest.raises(RuntimeError, match="step 1"):  # the third came to its end: this one begins anew
        train(engine)


def test_a_location_is_a_directory_that_is_kept(engine: str) -> None:
    @remote(max_runtime_in_seconds=60)
    def count(location: os.PathLike[str]) -> int:
        file = Path(location) / "count"
        number = int(file.read_text()) + 1 if file.exists() else 1
        file.write_text(str(number))
        return number

    location = CheckpointLocation(f"s3://sm-remote-local/counts/{engine}")
    assert [count(location), count(location), count(CheckpointLocation(location.s3_uri + "-2"))] == [1, 2, 1]


def test_a_place_with_another_functions_checkpoints_is_refused_before_anything_is_sent() -> None:
    place = {"checkpoint_s3_uri": "s3://sm-remote-local/foreign", "max_runtime_in_seconds": 60}

    @remote(**place)
    def first() -> None:
        with checkpoint("state") as ckpt:
            ckpt.save(1, step=1)
            raise KeyError("stop")

    @remote(**place)
    def second() -> int:
        with checkpoint("state") as ckpt:
            began: int = ckpt.load(default=0)
            return began

    with pytest.raises(KeyError):
        first()
    with pytest.raises(ConfigError, match="another function, first; this is second"):
        second()
    assert second.options(resume=False)() == 0


def test_a_function_that_runs_here_goes_on_too() -> None:
    @remote
    def count() -> int:
        with checkpoint("state") as ckpt:
            step: int = ckpt.load(default=0) + 1
            ckpt.save(step)
            if step < 3:
                raise RuntimeError
        return step

    for _ in range(2):
        with pytest.raises(RuntimeError):
            count.local()
    assert count.local() == 3
    with pytest.raises(RuntimeError):
        count.local()


def test_a_job_that_is_stopped_has_no_value_though_its_function_returns() -> None:
    train = define()
    job = train.submit(10_000, "stopped")
    for line in job.logs(follow=True):
        if line.startswith("begins"):
            break
    job.stop()
    with pytest.raises(Exception, match="was stopped"):
        job.result(120)
    assert not isinstance(job.exception(), JobFailed)


@pytest.fixture
def shortage() -> Iterator[Callable[[str], None]]:
    """Makes spot capacity of one instance type short, and there again at the end."""
    connection = connect_with(resolve_settings({"target": "local"}))
    discovery = connection.training_jobs.session.discovery
    assert discovery is not None

    def set_capacity(state: str) -> None:
        call_service(discovery, "SetCapacity", {"InstanceType": "ml.m5.xlarge", "Market": "spot", "Capacity": state})

    yield set_capacity
    set_capacity("available")


@pytest.mark.parametrize("state", ["error", "pending", pytest.param("error", marks=pytest.mark.docker, id="docker")])
def test_without_spot_capacity_the_job_goes_on_on_demand(
    shortage: Callable[[str], None], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shortage(state)
    settings = {"instance_type": "ml.m5.xlarge", "fallback": "on_demand"}
    limit_s = 8 if state == "pending" else 120  # which is waited for, and holds for the job on demand as well
    train = define(**settings).options(max_runtime_in_seconds=limit_s, max_wait_time_in_seconds=limit_s)
    assert train(5, f"short {state}") == [0, 1, 2, 3, 4]
    out = capsys.readouterr().out
    said = "there is no capacity" if state == "error" else "max_wait_time_in_seconds is used up"
    assert re.search(rf"sm_remote: (train-\S+): {said}; training job \1-2 goes on with ml.m5.xlarge on demand", out)
    assert "begins at 0" in out


def test_an_interrupted_job_that_waits_too_long_goes_on_on_demand_from_its_checkpoint(
    shortage: Callable[[str], None],
) -> None:
    train = define(holds=True, instance_type="ml.m5.xlarge", fallback="on_demand")
    job = train.options(max_runtime_in_seconds=12, max_wait_time_in_seconds=12).submit(15, "waits")
    first = job.name
    assert "stays" in job.logs(follow=True)
    shortage("pending")
    interrupt(job)
    assert job.result(120) == list(range(15))
    assert job.earlier_names == (first,)
    assert job.name != first
    attempts = job.attempts
    assert [each.number for each in attempts] == [1, 2]
    assert [each.cause for each in attempts] == ["Interrupted", "Completed"]
    names = [phase.name for phase in job.timeline()]
    assert names.index("Stopped") < names.index("Completed")
    begun = [line for line in job.logs() if line.startswith("begins at")]
    assert (begun[0], begun[-1]) == ("begins at 0", f"begins at {HOLDS_AT + 1}")
