"""The service is killed at every point that matters, and started again: no job is lost and none runs twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.home import LOCAL_BUCKET
from sm_remote.wire.outcome import load_outcome
from tests.fakes.service import build_request, make_client, statuses, wait_for_end, wait_until

pytestmark = [pytest.mark.service]

GROUP = "/aws/sagemaker/TrainingJobs"


def build_job(proof: Path, *, script: str = "", name: str = "fit-1", **members):
    """A job that leaves a trace outside of its tree each time that it runs, says three lines and writes a model."""
    body = f'echo ran >>"{proof}"; echo one; {script} echo two; echo m >"$ML/model/m"; echo three'
    return build_request(
        name,
        AlgorithmSpecification={"ContainerEntrypoint": ["/bin/sh", "-c"], "ContainerArguments": [body]},
        OutputDataConfig={"CompressionType": "NONE"},
        **members,
    )


@pytest.fixture
def proof(tmp_path):
    return tmp_path / "proof"


@pytest.fixture
def channel(home):
    path = home.store / LOCAL_BUCKET / "data" / "a.csv"
    path.parent.mkdir(parents=True)
    path.write_text("a")
    path.with_name("b.csv").write_text("b")
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/data/"}
    return {"ChannelName": "train", "DataSource": {"S3DataSource": source}}


def read_log(discovery, name: str) -> list[str]:
    logs = make_client(discovery, "logs")
    (stream,) = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True)
    return [event["message"] for event in page["events"]]


def assert_ran_once_and_left_nothing(service, discovery, proof, name: str = "fit-1", status: str = "Completed"):
    description = wait_for_end(make_client(discovery), name)
    assert description["TrainingJobStatus"] == status, description
    assert proof.read_text() == "ran\n"
    ends = [each for each in statuses(description) if each in ("Completed", "Failed", "Stopped")]
    assert ends == [status]
    wait_until(lambda: list(service.containers.iterdir()) == [] and list(service.home.jobs.iterdir()) == [])
    database = sqlite3.connect(service.home.service / "jobs.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    return description


POINTS = [
    "insert.after_commit",
    "claim.after_commit",
    "stage.mid_download",
    "stage.mid_download:2",
    "container.before_start",
    "container.after_start",
    "exit.before_record",
    "collect.mid_upload",
    "publish.before_terminal",
    "terminal.after_commit",
    "cleanup.mid",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_job_whose_service_dies_anywhere_completes_once(service, proof, channel, point):
    first = service.start(SMR_CRASH=point)
    # The answer may or may not get out before the service dies; the job is committed by then.
    with suppress(BotoCoreError, ClientError):
        make_client(first).create_training_job(**build_job(proof, InputDataConfig=[channel]))
    assert service.wait_for_death() == -signal.SIGKILL
    second = service.start()
    assert_ran_once_and_left_nothing(service, second, proof)
    assert read_log(second, "fit-1")[1:] == ["one", "two", "three"]
    assert (service.home.store / LOCAL_BUCKET / "jobs/fit-1/output/model/m").read_text() == "m\n"


@pytest.mark.parametrize(
    "point",
    [
        "stage.mid_download",
        "stage.mid_download:2",
        "container.before_start",
        "container.after_start",
        "exit.before_record",
        "checkpoints.before_delete",
        "checkpoints.before_upload",
        "checkpoints.before_save",
        "publish.before_terminal",
        "terminal.after_commit",
        "cleanup.mid",
    ],
)
def test_checkpoints_of_a_job_whose_service_dies_anywhere_are_neither_lost_nor_resurrected(service, proof, point):
    stored = service.home.store / LOCAL_BUCKET / "ckpt"
    (stored / "deep").mkdir(parents=True)
    for name in ("kept", "changed", "deep/deleted"):
        (stored / name).write_text("before")
    first = service.start(SMR_CRASH=point)
    script = 'rm -r "$ML/checkpoints/deep"; echo after >"$ML/checkpoints/changed"; echo new >"$ML/checkpoints/new";'
    request = build_job(proof, script=script, CheckpointConfig={"S3Uri": "s3://sm-remote-local/ckpt"})
    with suppress(BotoCoreError, ClientError):
        make_client(first).create_training_job(**request)
    assert service.wait_for_death() == -signal.SIGKILL
    second = service.start()
    assert_ran_once_and_left_nothing(service, second, proof)
    found = {str(path.relative_to(stored)): path.read_text() for path in stored.rglob("*") if path.is_file()}
    assert found == {"kept": "before", "changed": "after\n", "new": "new\n"}


@pytest.mark.parametrize(
    "point",
    ["run.value_seen", "run.value_taken", "collect.mid_upload", "publish.before_terminal", "terminal.after_commit"],
)
def test_a_value_whose_service_dies_while_taking_it_is_there_afterwards(service, proof, point):
    first = service.start(SMR_CRASH=point)
    request = build_request(
        AlgorithmSpecification={
            "ContainerEntrypoint": [sys.executable, "-m", "tests.fakes.outcome_job"],
            "ContainerArguments": [str(proof), "ab" * 32],
        },
        OutputDataConfig={"CompressionType": "NONE"},
    )
    with suppress(BotoCoreError, ClientError):
        make_client(first).create_training_job(**request)
    assert service.wait_for_death() == -signal.SIGKILL
    second = service.start()
    assert_ran_once_and_left_nothing(service, second, proof)
    outcome = service.home.store / LOCAL_BUCKET / "jobs/fit-1/output/data/sm_remote/outcome"
    assert load_outcome(outcome) == {"answer": 42}


def test_a_job_that_was_never_acknowledged_can_be_created_again(service, proof):
    first = service.start(SMR_CRASH="insert.before_commit")
    with pytest.raises(BotoCoreError):
        make_client(first).create_training_job(**build_job(proof))
    service.wait_for_death()
    second = service.start()
    make_client(second).create_training_job(**build_job(proof))
    assert_ran_once_and_left_nothing(service, second, proof)


def start_and_wait_until_it_runs(service, proof, script: str, **environ: str):
    discovery = service.start(**environ)
    client = make_client(discovery)
    client.create_training_job(**build_job(proof, script=script))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    wait_until(proof.exists)
    return client


def test_a_job_runs_on_while_its_service_is_dead_and_is_adopted(service, proof):
    may_end = proof.with_name("may-end")
    start_and_wait_until_it_runs(service, proof, f'until [ -e "{may_end}" ]; do sleep 0.05; done;')
    service.kill()
    second = service.start()
    assert make_client(second).describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training"
    may_end.touch()
    assert_ran_once_and_left_nothing(service, second, proof)
    assert read_log(second, "fit-1")[1:] == ["one", "two", "three"]


def test_a_job_that_ended_while_its_service_was_dead_is_collected(service, proof):
    start_and_wait_until_it_runs(service, proof, "sleep 0.3;")
    service.kill()
    wait_until(lambda: list(service.containers.glob("*/exit")))
    second = service.start()
    assert_ran_once_and_left_nothing(service, second, proof)
    assert read_log(second, "fit-1")[1:] == ["one", "two", "three"]


def test_a_job_whose_container_vanished_while_its_service_was_dead_says_so(service, proof):
    start_and_wait_until_it_runs(service, proof, "sleep 0.3;")
    service.kill()
    wait_until(lambda: list(service.containers.glob("*/exit")))
    for place in service.containers.iterdir():
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
    second = service.start()
    description = assert_ran_once_and_left_nothing(service, second, proof, status="Failed")
    assert "InternalServerError" in description["FailureReason"]
    assert "the job's container is gone" in description["FailureReason"]


@pytest.mark.parametrize("point", ["stop.after_intent", "stop.before_signal"])
def test_a_stop_that_was_committed_is_carried_out_after_a_crash(service, proof, point):
    client = start_and_wait_until_it_runs(service, proof, "sleep 20;", SMR_CRASH=point)
    # The answer may or may not get out before the service dies; the stop is committed by then.
    with suppress(BotoCoreError, ClientError):
        client.stop_training_job(TrainingJobName="fit-1")
    service.wait_for_death()
    second = service.start()
    assert make_client(second).describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] in (
        "Stopping",
        "Stopped",
    )
    description = assert_ran_once_and_left_nothing(service, second, proof, status="Stopped")
    assert statuses(description) == ["Starting", "Training", "Stopping", "Uploading", "Stopped"]


SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
}


def build_interrupted_job(proof: Path) -> dict:
    """A job whose first attempt is interrupted, and whose second one ends by itself."""
    tags = [{"Key": "sm_remote:interrupt-at", "Value": "0.3"}, {"Key": "sm_remote:interrupt-grace", "Value": "1"}]
    script = f'[ "$(wc -l <"{proof}")" -gt 1 ] || sleep 20;'
    return build_job(proof, script=script, Tags=tags, **SPOT)


@pytest.mark.parametrize(
    "point",
    [
        "interruption.before_signal",
        "exit.before_record",
        "interruption.flushed",
        "attempt.after_requeue",
        "claim.after_commit:2",
        "container.before_start:2",
        "container.after_start:2",
        "exit.before_record:2",
    ],
)
def test_an_interrupted_job_whose_service_dies_anywhere_has_two_attempts_and_one_end(service, proof, point):
    first = service.start(SMR_CRASH=point)
    with suppress(BotoCoreError, ClientError):
        make_client(first).create_training_job(**build_interrupted_job(proof))
    assert service.wait_for_death() == -signal.SIGKILL
    second = service.start()
    description = wait_for_end(make_client(second), "fit-1")
    assert description["TrainingJobStatus"] == "Completed", description
    assert proof.read_text() == "ran\nran\n"
    assert statuses(description) == [
        *("Starting", "Training", "Interrupted", "Starting", "Training", "Uploading", "Completed")
    ]
    wait_until(lambda: list(service.containers.iterdir()) == [] and list(service.home.jobs.iterdir()) == [])
    assert sorted(path.name for path in (service.home.store / LOCAL_BUCKET / "jobs/fit-1/output/model").iterdir()) == [
        "m"
    ]


@pytest.mark.parametrize("point", ["interruption.before_signal", "interruption.flushed", "attempt.after_requeue"])
def test_a_stop_of_an_interrupted_job_whose_service_died_wins(service, proof, point):
    first = service.start(SMR_CRASH=point)
    make_client(first).create_training_job(**build_interrupted_job(proof))
    service.wait_for_death()
    second = service.start(SM_REMOTE_STOP_GRACE_S="0.1")
    with suppress(ClientError):
        make_client(second).stop_training_job(TrainingJobName="fit-1")
    description = wait_for_end(make_client(second), "fit-1")
    # The second attempt may have been over before the stop came.
    assert description["TrainingJobStatus"] in ("Stopped", "Completed")
    assert statuses(description).count("Stopping") == (description["TrainingJobStatus"] == "Stopped")


def test_a_lost_container_is_tried_again_after_a_restart_of_the_service_too(service, proof):
    discovery = service.start()
    client = make_client(discovery)
    script = f'[ "$(wc -l <"{proof}")" -gt 1 ] || sleep 1;'
    client.create_training_job(**build_job(proof, script=script, RetryStrategy={"MaximumRetryAttempts": 1}))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    wait_until(proof.exists)
    service.kill()
    wait_until(lambda: list(service.containers.glob("*/exit")))
    for place in service.containers.iterdir():
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
    description = wait_for_end(make_client(service.start()), "fit-1")
    assert statuses(description) == ["Starting", "Training", "Starting", "Training", "Uploading", "Completed"]
    assert proof.read_text() == "ran\nran\n"


def test_a_runtime_that_was_exceeded_while_the_service_was_dead_is_enforced_at_its_start(service, proof):
    discovery = service.start()
    client = make_client(discovery)
    limit = {"MaxRuntimeInSeconds": 1}
    client.create_training_job(**build_job(proof, script="sleep 20;", StoppingCondition=limit))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    service.kill()
    time.sleep(1.1)
    description = wait_for_end(make_client(service.start()), "fit-1")
    assert description["SecondaryStatus"] == "MaxRuntimeExceeded"


def test_jobs_that_waited_run_in_their_order(service, proof):
    discovery = service.start(SM_REMOTE_SERVICE_MAX_PARALLEL_JOBS="1")
    client = make_client(discovery)
    for number in range(4):
        script = f'echo {number} >>"{proof}.order"; sleep 0.3;'
        client.create_training_job(**build_job(proof, script=script, name=f"fit-{number}"))
    service.kill()
    client = make_client(service.start(SM_REMOTE_SERVICE_MAX_PARALLEL_JOBS="1"))
    for number in range(4):
        assert wait_for_end(client, f"fit-{number}")["TrainingJobStatus"] == "Completed"
    assert proof.with_name("proof.order").read_text().split() == ["0", "1", "2", "3"]


def test_a_container_of_ours_that_no_job_knows_is_removed(service, proof):
    client = start_and_wait_until_it_runs(service, proof, "sleep 0.2;")
    labels = next(iter(service.containers.glob("*/labels"))).read_text()
    wait_for_end(client, "fit-1")
    service.kill()
    for name, owner in (("smr-ghost-a1-algo-1", labels), ("smr-foreign-a1-algo-1", labels.replace('": "', '": "x'))):
        place = service.containers / name
        place.mkdir()
        (place / "labels").write_text(owner)
        (place / "log").touch()
        (place / "exit").write_text("0")
    service.start()
    wait_until(lambda: {place.name for place in service.containers.iterdir()} == {"smr-foreign-a1-algo-1"})


@pytest.mark.slow
def test_of_many_jobs_none_is_lost_and_none_runs_twice_however_often_the_service_is_killed(service, tmp_path):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    wanted = [f"fit-{number}" for number in range(40)]
    created: set[str] = set()
    for _ in range(8):
        client = make_client(service.start())
        deadline = time.monotonic() + chance.uniform(0.05, 0.6)
        for name in wanted:
            if name in created or time.monotonic() > deadline:
                continue
            pause = chance.uniform(0, 0.2)
            client.create_training_job(**build_job(tmp_path / name, script=f"sleep {pause:.3f};", name=name))
            created.add(name)
        time.sleep(max(0.0, deadline - time.monotonic()))
        service.kill()
    last = service.start()
    for name in sorted(created):
        assert_ran_once(last, tmp_path / name, name)
    wait_until(lambda: list(service.containers.iterdir()) == [] and list(service.home.jobs.iterdir()) == [])
    assert len(created) > 5


def assert_ran_once(discovery, proof: Path, name: str) -> None:
    description = wait_for_end(make_client(discovery), name)
    assert description["TrainingJobStatus"] == "Completed", description
    assert proof.read_text() == "ran\n"
    assert read_log(discovery, name)[1:] == ["one", "two", "three"]
