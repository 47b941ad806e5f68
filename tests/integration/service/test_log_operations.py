"""CloudWatch Logs, as boto3 sees it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sm_remote.home import Home
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end

GROUP = "/aws/sagemaker/TrainingJobs"


def play(container) -> int:
    for number in range(20):
        container.print(f"line {number}")
    return 0


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("logs")
    with serve(Home(data=directory, cache=directory / "cache"), FakeEngine(play)) as discovery:
        client = make_client(discovery)
        for name in ("fit-1", "fit-10", "other"):
            client.create_training_job(**build_request(name))
            wait_for_end(client, name)
        yield make_client(discovery, "logs")


@pytest.fixture(scope="module")
def stream(logs) -> str:
    return logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="fit-1/")["logStreams"][0]["logStreamName"]


def get(logs, stream: str, **options):
    return logs.get_log_events(logGroupName=GROUP, logStreamName=stream, **options)


def lines(answer) -> list[str]:
    return [event["message"] for event in answer["events"]]


ALL = [f"line {number}" for number in range(20)]


def test_a_jobs_stream_has_sagemakers_name(logs, stream):
    assert stream.startswith("fit-1/algo-1-")
    assert stream.rpartition("-")[2].isdigit()


def test_streams_are_found_by_any_prefix(logs):
    def names(prefix: str) -> list[str]:
        found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=prefix)
        return [each["logStreamName"].partition("/")[0] for each in found["logStreams"]]

    assert names("fit-1/") == ["fit-1"]
    assert names("fit-1") == ["fit-1", "fit-10"]
    assert names("none") == []
    assert names("../") == []


def test_streams_come_in_pages(logs):
    first = logs.describe_log_streams(logGroupName=GROUP, limit=2)
    second = logs.describe_log_streams(logGroupName=GROUP, limit=2, nextToken=first["nextToken"])
    assert (len(first["logStreams"]), len(second["logStreams"])) == (2, 1)
    assert "nextToken" not in second


def test_a_log_is_read_from_its_head_page_by_page(logs, stream):
    read, token = [], {}
    while True:
        page = get(logs, stream, startFromHead=True, limit=7, **token)
        if token and page["nextForwardToken"] == token["nextToken"]:
            break
        read += lines(page)
        token = {"nextToken": page["nextForwardToken"]}
    assert read[1:] == ALL
    assert lines(page) == []


def test_a_log_is_read_from_its_tail_unless_the_head_is_asked_for(logs, stream):
    tail = get(logs, stream, limit=3)
    assert lines(tail) == ALL[-3:]
    assert lines(get(logs, stream, limit=3, nextToken=tail["nextBackwardToken"])) == ALL[-6:-3]


def test_a_forward_token_is_always_given_and_stays_the_same_at_the_end(logs, stream):
    page = get(logs, stream, startFromHead=True)
    again = get(logs, stream, nextToken=page["nextForwardToken"])
    assert (lines(again), again["nextForwardToken"]) == ([], page["nextForwardToken"])
    assert get(logs, stream, startFromHead=True)["nextBackwardToken"] == page["nextBackwardToken"]


def test_events_outside_of_the_asked_time_are_left_out(logs, stream):
    event = get(logs, stream, startFromHead=True)["events"][-1]
    assert lines(get(logs, stream, startFromHead=True, startTime=event["timestamp"] + 1)) == []
    assert lines(get(logs, stream, startFromHead=True, endTime=event["timestamp"] + 1))[-1] == "line 19"


@pytest.mark.parametrize(
    "name",
    ["fit-1/algo-1-1", "none/algo-1-1", "../service/identity", "fit-1/../fit-10/algo-1-1", "fit-1", "/", "a/b/c"],
)
def test_a_stream_that_is_not_there_is_not_found(logs, name):
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log stream does not exist"):
        get(logs, name)


def test_another_log_group_is_not_found(logs, stream):
    for call in (
        lambda: logs.get_log_events(logGroupName="/aws/lambda/x", logStreamName=stream),
        lambda: logs.describe_log_streams(logGroupName="/aws/lambda/x"),
    ):
        with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log group does not exist"):
            call()


@pytest.mark.parametrize("token", ["x", "f/", "f/1", "b/3", "f/-1", "f/99999999999999999999999"])
def test_a_forged_token_is_invalid(logs, stream, token):
    with pytest.raises(ClientError) as caught:
        get(logs, stream, nextToken=token)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
