"""Managed spot training: capacity that is taken away by a script, and what a job does about it."""

from __future__ import annotations

import json
import threading
import time
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.app import ServiceConfig
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, statuses, wait_for_end, wait_until

GROUP = "/aws/sagemaker/TrainingJobs"
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
    "OutputDataConfig": {"CompressionType": "NONE"},
}


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def discovery(home, engine):
    with serve(home, engine, config=ServiceConfig(stop_grace_s=0.2, interruption_grace_s=0.2)) as found:
        yield found


@pytest.fixture
def client(discovery):
    return make_client(discovery)


def call(discovery, operation: str, **body) -> dict:
    """Calls an operation of ours, signed as a client signs."""
    request = AWSRequest("POST", discovery.endpoint_url, data=json.dumps(body).encode())
    request.headers["X-Amz-Target"] = f"SmRemote.{operation}"
    request.headers["Content-Type"] = "application/x-amz-json-1.1"
    SigV4Auth(Credentials(discovery.access_key, discovery.secret_key), "sagemaker", "us-east-1").add_auth(request)
    opened = urllib.request.Request(request.url, data=request.body, headers=dict(request.headers))
    try:
        with urllib.request.urlopen(opened) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        raise RuntimeError(error.read().decode()) from None


class Script:
    """A job whose first attempts wait until they are interrupted, and whose last one ends by itself."""

    def __init__(self, interruptions: int, *, ignore_sigterm: bool = False) -> None:
        self.left = interruptions
        self.ignore_sigterm = ignore_sigterm
        self.attempts: list[str] = []
        self.found: list[list[str]] = []

    def __call__(self, container) -> int:
        self.attempts.append(container.spec.name)
        model = container.path("/opt/ml/model")
        self.found.append(
            sorted(path.name for path in [*model.iterdir(), *container.path("/opt/ml/output/data").iterdir()])
        )
        (model / f"attempt-{len(self.attempts)}").write_text("m")
        (container.path("/opt/ml/output/data") / "partial").write_text("o")
        container.print(f"attempt {len(self.attempts)}")
        if len(self.attempts) > self.left:
            return 0
        if self.ignore_sigterm:
            threading.Event().wait(20)
        assert container.sigterm.wait(120)
        return 0


def wait_for_attempt(client, script: Script, number: int) -> None:
    def trains() -> bool:
        description = client.describe_training_job(TrainingJobName="fit-1")
        return len(script.attempts) == number and description["SecondaryStatus"] == "Training"

    wait_until(trains)


def models(home) -> list[str]:
    return sorted(path.name for path in (home.store / LOCAL_BUCKET / "jobs/fit-1/output/model").glob("*"))


def test_an_interrupted_job_starts_again_with_nothing_but_its_inputs(discovery, client, engine, home):
    engine.play = script = Script(2)
    client.create_training_job(**build_request(**SPOT))
    for number in (1, 2):
        wait_for_attempt(client, script, number)
        call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    description = wait_for_end(client, "fit-1")
    assert statuses(description) == [
        *("Starting", "Training", "Interrupted", "Starting", "Training", "Interrupted"),
        *("Starting", "Training", "Uploading", "Completed"),
    ]
    assert script.attempts == [f"smr-fit-1-a{number}-algo-1" for number in (1, 2, 3)]
    assert script.found == [[], [], []]
    assert models(home) == ["attempt-3"]
    assert description["TrainingJobStatus"] == "Completed"


def test_each_attempt_has_a_log_stream_of_its_own(discovery, client, engine):
    engine.play = script = Script(1)
    client.create_training_job(**build_request(**SPOT))
    wait_for_attempt(client, script, 1)
    call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    wait_for_end(client, "fit-1")
    logs = make_client(discovery, "logs")
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="fit-1/")["logStreams"]
    assert len(streams) == 2
    texts = []
    for stream in streams:
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"], startFromHead=True)
        texts.append([event["message"] for event in events["events"]][-1])
    assert texts == ["attempt 1", "attempt 2"]


def test_while_its_container_ends_the_job_is_interrupted_and_in_progress(discovery, client, engine):
    ending = threading.Event()

    def play(container) -> int:
        container.sigterm.wait(120)
        return 0 if ending.wait(120) else 1

    engine.play = play
    tags = [{"Key": "sm_remote:interrupt-grace", "Value": "20"}]
    client.create_training_job(**build_request(**SPOT, Tags=tags))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    description = client.describe_training_job(TrainingJobName="fit-1")
    assert (description["TrainingJobStatus"], description["SecondaryStatus"]) == ("InProgress", "Interrupted")
    wait_until(lambda: engine.stops == [("smr-fit-1-a1-algo-1", 20.0)])
    client.stop_training_job(TrainingJobName="fit-1")
    ending.set()
    description = wait_for_end(client, "fit-1")
    assert statuses(description) == ["Starting", "Training", "Interrupted", "Stopping", "Uploading", "Stopped"]


def test_a_job_that_ignores_sigterm_is_killed_and_starts_again(discovery, client, engine):
    engine.play = script = Script(1, ignore_sigterm=True)
    client.create_training_job(**build_request(**SPOT))
    wait_for_attempt(client, script, 1)
    call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Completed"
    assert len(script.attempts) == 2


def test_a_script_interrupts_at_its_moments(client, engine):
    engine.play = script = Script(2)
    tags = [{"Key": "sm_remote:interrupt-at", "Value": "0.3 0.5"}]
    client.create_training_job(**build_request(**SPOT, Tags=tags))
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Completed"
    assert len(script.attempts) == 3


def test_a_seed_interrupts_until_the_job_gets_through(client, engine):
    def play(container) -> int:
        return 0 if not container.sigterm.wait(0.2) else 143

    engine.play = play
    tags = [{"Key": "sm_remote:interrupt-seed", "Value": "4"}, {"Key": "sm_remote:interrupt-mean", "Value": "0.1"}]
    client.create_training_job(**build_request(**SPOT, Tags=tags))
    description = wait_for_end(client, "fit-1")
    assert description["TrainingJobStatus"] == "Completed"
    assert statuses(description).count("Interrupted") >= 1


def test_a_script_that_cannot_be_understood_is_refused_at_once(client):
    with pytest.raises(ClientError, match="interrupt-at must be seconds"):
        client.create_training_job(**build_request(Tags=[{"Key": "sm_remote:interrupt-at", "Value": "soon"}]))


def test_a_job_on_demand_is_not_interrupted(discovery, client, engine):
    engine.play = lambda container: 0 if container.sigterm.wait(120) else 1
    client.create_training_job(**build_request())
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    with pytest.raises(RuntimeError, match="does not run on spot capacity"):
        call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    client.stop_training_job(TrainingJobName="fit-1")
    wait_for_end(client, "fit-1")
    with pytest.raises(RuntimeError, match="Requested resource not found"):
        call(discovery, "InterruptTrainingJob", TrainingJobName="fit-2")


def test_the_running_time_of_all_attempts_together_is_bounded(client, engine):
    engine.play = lambda container: 143 if container.sigterm.wait(120) else 0
    limits = {"StoppingCondition": {"MaxRuntimeInSeconds": 6, "MaxWaitTimeInSeconds": 120}}
    tags = [{"Key": "sm_remote:interrupt-at", "Value": "2"}]
    client.create_training_job(**build_request(**{**SPOT, **limits}, Tags=tags))
    description = wait_for_end(client, "fit-1")
    assert description["SecondaryStatus"] == "MaxRuntimeExceeded"
    last = next(each for each in reversed(description["SecondaryStatusTransitions"]) if each["Status"] == "Training")
    assert statuses(description).count("Interrupted") == 1
    assert (last["EndTime"] - last["StartTime"]).total_seconds() < 5.5  # four are left of the six


def test_a_job_that_never_gets_capacity_is_stopped_after_its_waiting_time(discovery, client, engine):
    call(discovery, "SetCapacity", InstanceType="ml.m5.large", Capacity="pending", Market="spot")
    limits = {"StoppingCondition": {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}}
    client.create_training_job(**build_request(**{**SPOT, **limits}))
    description = wait_for_end(client, "fit-1")
    assert statuses(description) == ["Starting", "Pending", "Stopping", "MaxWaitTimeExceeded"]
    assert description["TrainingJobStatus"] == "Stopped"
    assert "TrainingStartTime" not in description
    assert "ModelArtifacts" not in description
    assert engine.starts == []


def test_a_job_that_waits_too_long_between_attempts_is_stopped(discovery, client, engine):
    engine.play = script = Script(1)
    limits = {"StoppingCondition": {"MaxRuntimeInSeconds": 2, "MaxWaitTimeInSeconds": 2}}
    client.create_training_job(**build_request(**{**SPOT, **limits}))
    wait_for_attempt(client, script, 1)
    call(discovery, "SetCapacity", InstanceType="*", Capacity="pending")
    call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    description = wait_for_end(client, "fit-1")
    assert statuses(description)[-5:] == ["Interrupted", "Starting", "Pending", "Stopping", "MaxWaitTimeExceeded"]
    assert len(script.attempts) == 1


def test_a_job_that_waits_between_attempts_can_be_stopped(discovery, client, engine):
    engine.play = script = Script(1)
    client.create_training_job(**build_request(**SPOT))
    wait_for_attempt(client, script, 1)
    call(discovery, "SetCapacity", InstanceType="ml.m5.large", Capacity="pending")
    call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Pending")
    client.stop_training_job(TrainingJobName="fit-1")
    assert statuses(wait_for_end(client, "fit-1"))[-2:] == ["Stopping", "Stopped"]


def test_a_pending_shortage_holds_up_only_jobs_that_it_concerns_until_it_is_over(discovery, client, engine):
    call(discovery, "SetCapacity", InstanceType="ml.m5.large", Capacity="pending")
    client.create_training_job(**build_request("held"))
    client.create_training_job(**build_request("free", ResourceConfig={"InstanceType": "ml.c5.xlarge"}))
    assert wait_for_end(client, "free")["TrainingJobStatus"] == "Completed"
    description = client.describe_training_job(TrainingJobName="held")
    assert (description["SecondaryStatus"], len(engine.starts)) == ("Pending", 1)
    assert call(discovery, "SetCapacity", InstanceType="*", Capacity="available") == {"Shortages": []}
    assert wait_for_end(client, "held")["TrainingJobStatus"] == "Completed"


def test_a_shortage_that_fails_jobs_gives_the_reason_that_clients_look_for(discovery, client, engine):
    call(discovery, "SetCapacity", InstanceType="ml.m5.large", Capacity="error")
    assert call(discovery, "ListShortages") == {
        "Shortages": [{"InstanceType": "ml.m5.large", "Market": "any", "Capacity": "error"}]
    }
    client.create_training_job(**build_request())
    description = wait_for_end(client, "fit-1")
    assert statuses(description) == ["Starting", "Failed"]
    assert description["FailureReason"] == (
        "CapacityError: Unable to provision requested ML compute capacity. "
        "Please retry using a different ML instance type."
    )
    assert engine.starts == []


def test_the_first_preferred_type_with_capacity_is_selected(discovery, client):
    call(discovery, "SetCapacity", InstanceType="ml.c5.xlarge", Capacity="error")
    preferences = [{"InstanceType": name} for name in ("ml.c5.xlarge", "ml.m5.large", "ml.m5.xlarge")]
    resources = {"InstanceCount": 1, "VolumeSizeInGB": 30, "InstancePreferences": preferences}
    client.create_training_job(**build_request() | {"ResourceConfig": resources})
    description = wait_for_end(client, "fit-1")
    assert description["TrainingJobStatus"] == "Completed"
    selected = {"SelectedInstanceType": "ml.m5.large", "SelectedInstanceCount": 1}
    assert description["ResourceConfig"] == {**resources, **selected}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"InstanceType": "ml.m5.large", "Capacity": "none"}, "available, error, pending"),
        ({"InstanceType": "ml.m5.large", "Capacity": "error", "Market": "x"}, "any, spot, on-demand"),
        ({"Capacity": "error"}, "InstanceType must be"),
    ],
)
def test_a_shortage_that_cannot_be_understood_is_refused(discovery, body, message):
    with pytest.raises(RuntimeError, match=message):
        call(discovery, "SetCapacity", **body)


def test_only_failures_of_the_platform_are_tried_again(discovery, client, engine):
    ends: list = [None, None, 3]
    engine.play = lambda container: ends.pop(0)
    client.create_training_job(**build_request(RetryStrategy={"MaximumRetryAttempts": 2}))
    description = wait_for_end(client, "fit-1")
    assert statuses(description) == [
        *("Starting", "Training", "Starting", "Training", "Starting", "Training", "Uploading", "Failed")
    ]
    assert description["FailureReason"].startswith("AlgorithmError")
    assert [name for name, _ in engine.starts] == [f"smr-fit-1-a{number}-algo-1" for number in (1, 2, 3)]


def test_retries_are_counted(client, engine):
    engine.play = lambda container: None
    client.create_training_job(**build_request(RetryStrategy={"MaximumRetryAttempts": 1}))
    description = wait_for_end(client, "fit-1")
    assert len(engine.starts) == 2
    assert description["FailureReason"].startswith("InternalServerError")
    assert statuses(description) == ["Starting", "Training", "Starting", "Training", "Failed"]


def test_without_a_retry_strategy_the_first_failure_is_the_last(client, engine):
    engine.play = lambda container: None
    client.create_training_job(**build_request())
    assert wait_for_end(client, "fit-1")["FailureReason"].startswith("InternalServerError")
    assert len(engine.starts) == 1


def test_a_container_that_vanishes_after_an_interruption_is_no_failure(discovery, client, engine):
    seen: list[float] = []

    def play(container):
        seen.append(time.monotonic())
        if len(seen) > 1:
            return 0
        container.sigterm.wait(120)
        return None

    engine.play = play
    client.create_training_job(**build_request(**SPOT))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    call(discovery, "InterruptTrainingJob", TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Completed"
