"""Stopping: by the user and by the clock."""

from __future__ import annotations

import tarfile
import threading

import pytest
from botocore.exceptions import ClientError

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.app import ServiceConfig
from sm_remote.service.jobs import host_run
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, statuses, wait_for_end, wait_until


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def client(home, engine):
    with serve(home, engine, config=ServiceConfig(stop_grace_s=0.3)) as found:
        yield make_client(found)


def start(client, engine, play, **members) -> None:
    running = threading.Event()

    def announced(container):
        running.set()
        return play(container)

    engine.play = announced
    client.create_training_job(**build_request(**members))
    assert running.wait(120)
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")


def save_at_sigterm(container) -> int:
    container.sigterm.wait(120)
    container.path("/opt/ml/model/partial").write_text("half")
    return 3


def test_a_job_that_is_stopped_uploads_what_it_saved_at_sigterm(client, engine, home):
    start(client, engine, save_at_sigterm)
    client.stop_training_job(TrainingJobName="fit-1")
    description = wait_for_end(client, "fit-1")
    assert statuses(description) == ["Starting", "Training", "Stopping", "Uploading", "Stopped"]
    assert (description["TrainingJobStatus"], description["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "FailureReason" not in description
    archive = home.store / LOCAL_BUCKET / "jobs" / "fit-1" / "output" / "model.tar.gz"
    with tarfile.open(archive) as opened:
        assert opened.getnames() == ["partial"]
    assert engine.stops[0] == ("smr-fit-1-a1-algo-1", 0.3)


def test_a_stop_wins_over_an_exit_code_of_0(client, engine):
    def play(container) -> int:
        container.sigterm.wait(120)
        return 0

    start(client, engine, play)
    client.stop_training_job(TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Stopped"


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace(client, engine):
    start(client, engine, lambda container: threading.Event().wait(20) and 0)
    client.stop_training_job(TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["SecondaryStatus"] == "Stopped"


def test_while_it_stops_the_status_is_stopping_and_a_second_stop_does_nothing(client, engine):
    start(client, engine, lambda container: threading.Event().wait(20) and 0)
    client.stop_training_job(TrainingJobName="fit-1")
    assert client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "Stopping"
    client.stop_training_job(TrainingJobName="fit-1")
    wait_for_end(client, "fit-1")
    assert len([name for name, grace_s in engine.stops if grace_s]) == 1


def test_a_finished_job_cannot_be_stopped(client, engine):
    client.create_training_job(**build_request())
    wait_for_end(client, "fit-1")
    with pytest.raises(ClientError) as caught:
        client.stop_training_job(TrainingJobName="fit-1")
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The request was rejected because the training job is in status Completed.",
    }


def test_a_job_that_waits_is_stopped_without_ever_running(client, engine):
    large = {"InstanceType": "ml.m5.24xlarge"}
    start(client, engine, save_at_sigterm, ResourceConfig=large)
    client.create_training_job(**build_request("waiting", ResourceConfig=large))
    client.stop_training_job(TrainingJobName="waiting")
    description = wait_for_end(client, "waiting")
    assert statuses(description)[-2:] == ["Stopping", "Stopped"]
    assert "ModelArtifacts" not in description
    assert "TrainingStartTime" not in description
    assert len(engine.starts) == 1
    client.stop_training_job(TrainingJobName="fit-1")
    wait_for_end(client, "fit-1")


def test_a_job_that_is_stopped_before_its_container_started_uploads_nothing(home, engine, put):
    stopped = threading.Event()

    def reach(point: str) -> None:
        if point == "stage.mid_download":
            assert stopped.wait(120)

    put("data/a")
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/data/"}
    with serve(home, engine, reach=reach) as found:
        client = make_client(found)
        client.create_training_job(
            **build_request(InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}])
        )
        wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Downloading")
        client.stop_training_job(TrainingJobName="fit-1")
        stopped.set()
        description = wait_for_end(client, "fit-1")
    assert statuses(description) == ["Starting", "Downloading", "Stopping", "Stopped"]
    assert "ModelArtifacts" not in description
    assert engine.starts == []


def test_a_job_that_runs_too_long_is_stopped_and_says_so_even_if_the_user_stops_it_then(client, engine):
    def play(container) -> int:
        container.sigterm.wait(120)
        threading.Event().wait(0.2)
        return 0

    start(client, engine, play, StoppingCondition={"MaxRuntimeInSeconds": 1})
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "Stopping")
    client.stop_training_job(TrainingJobName="fit-1")
    description = wait_for_end(client, "fit-1")
    assert statuses(description) == ["Starting", "Training", "Stopping", "Uploading", "MaxRuntimeExceeded"]
    assert description["TrainingJobStatus"] == "Stopped"
    assert "ModelArtifacts" in description


def test_a_stop_that_races_the_end_leaves_exactly_one_end(client, engine):
    for number in range(15):
        name = f"race-{number}"
        engine.play = lambda container, pause=number / 2000: threading.Event().wait(pause) and 0
        client.create_training_job(**build_request(name))
        try:
            client.stop_training_job(TrainingJobName=name)
            allowed = "Stopped"
        except client.exceptions.ClientError:
            allowed = "Completed"
        description = wait_for_end(client, name)
        assert description["TrainingJobStatus"] == allowed
        ends = [status for status in statuses(description) if status in ("Completed", "Failed", "Stopped")]
        assert len(ends) == 1


def test_a_stop_that_the_engine_does_not_take_is_tried_again(client, engine, monkeypatch):
    monkeypatch.setattr(host_run, "_STOP_AGAIN_S", 0.05)
    start(client, engine, save_at_sigterm)
    engine.refused_stops = 2
    client.stop_training_job(TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["SecondaryStatus"] == "Stopped"
    assert engine.refused_stops == 0


def test_a_service_that_ends_clears_up_after_jobs_that_have_ended(home, engine):
    engine.remove_s = 0.5
    engine.play = lambda container: 0
    with serve(home, engine) as found:
        other = make_client(found)
        other.create_training_job(**build_request())
        wait_for_end(other, "fit-1")
        wait_until(lambda: engine.removing)
    assert engine.removed == ["smr-fit-1-a1-algo-1"]
