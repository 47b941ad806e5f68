"""Long polls: held until there is news, answered at once when there is."""

from __future__ import annotations

import http.client
import json
import threading
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end, wait_until


class Switch:
    """A container that ends when the test says so."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.say: list[str] = []

    def __call__(self, container) -> int:
        self.container = container
        self.go.wait(120)
        return 0


@pytest.fixture
def switch():
    return Switch()


@pytest.fixture
def discovery(home, switch):
    with serve(home, FakeEngine(switch)) as found:
        yield found
        switch.go.set()


@pytest.fixture
def client(discovery):
    return make_client(discovery)


@pytest.fixture
def poll(discovery):
    def send(target: str, body: dict, wait_s: float = 20, seen: int = 0):
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": target,
            "X-Sm-Remote-Wait-S": str(wait_s),
            "X-Sm-Remote-Seen": str(seen),
        }
        request = AWSRequest(method="POST", url=f"{discovery.endpoint_url}/", data=json.dumps(body), headers=headers)
        service = "logs" if target.startswith("Logs") else "sagemaker"
        SigV4Auth(Credentials(discovery.access_key, discovery.secret_key), service, "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", discovery.port, timeout=120)
        connection.request("POST", "/", request.body, dict(request.headers))
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return answer, response.headers

    return send


def start(client, name: str = "fit-1") -> None:
    client.create_training_job(**build_request(name))
    wait_until(lambda: client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Training")


def later(function) -> tuple[threading.Thread, list]:
    results: list = []
    thread = threading.Thread(target=lambda: results.append((function(), time.monotonic())))
    thread.start()
    time.sleep(0.1)
    return thread, results


def test_each_change_of_a_job_has_a_higher_version(client, poll, switch):
    start(client)
    described, headers = poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "fit-1"})
    version = int(headers["X-Sm-Remote-Version"])
    switch.go.set()
    wait_for_end(client, "fit-1")
    described, headers = poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "fit-1"}, seen=version)
    assert described["TrainingJobStatus"] == "Completed"
    assert int(headers["X-Sm-Remote-Version"]) >= version + 2


def test_a_description_is_held_until_the_job_changes(client, poll, switch):
    start(client)
    _, headers = poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "fit-1"})
    seen = int(headers["X-Sm-Remote-Version"])
    thread, results = later(lambda: poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "fit-1"}, seen=seen))
    assert results == []
    switch.go.set()
    changed = time.monotonic()
    thread.join()
    ((described, headers), answered) = results[0]
    assert described["SecondaryStatus"] in ("Uploading", "Completed")
    assert int(headers["X-Sm-Remote-Version"]) > seen
    assert answered - changed < 15


def test_a_description_of_an_ended_job_is_never_held(client, poll, switch):
    start(client)
    switch.go.set()
    wait_for_end(client, "fit-1")
    began = time.monotonic()
    poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "fit-1"}, seen=10**9)
    assert time.monotonic() - began < 15


def test_a_description_of_an_unknown_job_is_refused_at_once(poll):
    began = time.monotonic()
    answer, _ = poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "none"}, seen=5)
    assert answer["message"] == "Requested resource not found."
    assert time.monotonic() - began < 15


def test_when_the_wait_is_over_the_description_is_given_as_it_is(client, poll, switch):
    start(client)
    _, headers = poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "fit-1"})
    seen = int(headers["X-Sm-Remote-Version"])
    described, _ = poll("SageMaker.DescribeTrainingJob", {"TrainingJobName": "fit-1"}, wait_s=0.1, seen=seen)
    assert described["SecondaryStatus"] == "Training"


def test_a_list_is_held_until_any_job_changes(client, poll):
    _, headers = poll("SageMaker.ListTrainingJobs", {}, wait_s=0)
    seen = int(headers["X-Sm-Remote-Version"])
    thread, results = later(lambda: poll("SageMaker.ListTrainingJobs", {}, seen=seen))
    assert results == []
    client.create_training_job(**build_request("another"))
    thread.join()
    ((listed, headers), _) = results[0]
    assert [job["TrainingJobName"] for job in listed["TrainingJobSummaries"]] == ["another"]
    assert int(headers["X-Sm-Remote-Version"]) > seen


def read_log(poll, client, token=None, wait_s: float = 20):
    streams = make_stream_name(client)
    body = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": streams, "startFromHead": True}
    return poll("Logs_20140328.GetLogEvents", {**body, **({"nextToken": token} if token else {})}, wait_s=wait_s)


def make_stream_name(logs) -> str:
    found = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="fit-1/")
    return found["logStreams"][0]["logStreamName"]


def test_log_events_are_held_until_there_is_one(client, discovery, poll, switch):
    logs = make_client(discovery, "logs")
    start(client)
    first, headers = read_log(poll, logs)
    assert len(first["events"]) == 1
    thread, results = later(lambda: read_log(poll, logs, first["nextForwardToken"]))
    assert results == []
    switch.container.print("hello")
    thread.join()
    ((second, headers), _) = results[0]
    assert [event["message"] for event in second["events"]] == ["hello"]
    assert "X-Sm-Remote-Log-Closed" not in headers


def test_a_log_is_closed_when_the_job_has_ended_and_every_line_is_out(client, discovery, poll, switch):
    logs = make_client(discovery, "logs")
    start(client)
    first, _ = read_log(poll, logs)
    thread, results = later(lambda: read_log(poll, logs, first["nextForwardToken"]))
    switch.go.set()
    thread.join()
    ((second, headers), _) = results[0]
    assert second["events"] == []
    assert second["nextForwardToken"] == first["nextForwardToken"]
    assert headers["X-Sm-Remote-Log-Closed"] == "1"


def test_hundreds_of_held_polls_keep_nobody_else_waiting(client, discovery, switch):
    start(client)
    held = []
    for _ in range(100):
        request = AWSRequest(
            method="POST",
            url=f"{discovery.endpoint_url}/",
            data=b'{"TrainingJobName": "fit-1"}',
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "SageMaker.DescribeTrainingJob",
                "X-Sm-Remote-Wait-S": "20",
                "X-Sm-Remote-Seen": "1000000",
            },
        )
        SigV4Auth(Credentials(discovery.access_key, discovery.secret_key), "sagemaker", "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", discovery.port, timeout=120)
        connection.request("POST", "/", request.body, dict(request.headers))
        held.append(connection)
    began = time.monotonic()
    client.describe_training_job(TrainingJobName="fit-1")
    assert time.monotonic() - began < 15
    switch.go.set()
    answers = [json.loads(connection.getresponse().read())["TrainingJobStatus"] for connection in held]
    for connection in held:
        connection.close()
    assert answers == ["Completed"] * 100
