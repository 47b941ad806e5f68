"""CloudWatch Logs, as boto3 sees it."""

from __future__ import annotations

import base64
import json

import pytest
from botocore.exceptions import ClientError

from sm_remote.home import Home
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end

GROUP = "/aws/sagemaker/TrainingJobs"


def play(container) -> int:
    for number in range(20):
        container.print(f"line {number}")
    if "tabs" in container.spec.name:
        container.print("a\tb")
    return 0


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("logs")
    with serve(Home(data=directory, cache=directory / "cache"), FakeEngine(play)) as discovery:
        client = make_client(discovery)
        for name in ("fit-1", "fit-10", "other"):
            client.create_training_job(**build_request(name))
            wait_for_end(client, name)
        client.create_training_job(**build_request("tabs"))
        wait_for_end(client, "tabs")
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
    assert (len(first["logStreams"]), len(second["logStreams"])) == (2, 2)
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


def test_streams_are_ordered_by_name_or_by_their_last_event(logs):
    def names(**options) -> list[str]:
        found = logs.describe_log_streams(logGroupName=GROUP, **options)["logStreams"]
        return [each["logStreamName"].partition("/")[0] for each in found]

    assert names() == ["fit-1", "fit-10", "other", "tabs"]
    assert names(descending=True) == ["tabs", "other", "fit-10", "fit-1"]
    assert names(orderBy="LastEventTime", descending=True, limit=1) == ["tabs"]
    with pytest.raises(ClientError, match="Cannot order by LastEventTime with a logStreamNamePrefix"):
        names(orderBy="LastEventTime", logStreamNamePrefix="fit")


def test_a_tab_is_shown_as_sagemaker_shows_it(logs):
    name = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="tabs/")["logStreams"][0]["logStreamName"]
    assert lines(get(logs, name))[-1] == "a#011b"
    assert lines(logs.filter_log_events(logGroupName=GROUP, filterPattern='"a#011b"')) == ["a#011b"]


def test_a_time_is_found_without_paging(logs, stream):
    event = get(logs, stream, startFromHead=True)["events"][-1]
    assert lines(get(logs, stream, startTime=event["timestamp"], limit=1, startFromHead=False))[-1] == "line 19"
    assert lines(get(logs, stream, endTime=1)) == []


def test_the_log_group_is_listed(logs):
    def names(**options) -> list[str]:
        return [group["logGroupName"] for group in logs.describe_log_groups(**options)["logGroups"]]

    assert names() == names(logGroupNamePrefix="/aws/sage") == names(logGroupNamePattern="Training") == [GROUP]
    assert names(logGroupNamePrefix="/aws/lambda") == names(logGroupNamePattern="lambda") == []


def test_the_lines_of_all_streams_are_searched_in_the_order_of_their_times(logs):
    answer = logs.filter_log_events(logGroupName=GROUP, filterPattern="line -1 ?7 ?8")
    assert lines(answer) == ["line 7", "line 8"] * 4
    times = [event["timestamp"] for event in answer["events"]]
    assert times == sorted(times)
    assert len({event["eventId"] for event in answer["events"]}) == 8
    assert answer["events"] == logs.filter_log_events(logGroupName=GROUP, filterPattern="line -1 ?7 ?8")["events"]


def test_streams_are_chosen_by_name_or_by_prefix(logs, stream):
    assert lines(logs.filter_log_events(logGroupName=GROUP, logStreamNames=[stream], filterPattern="line")) == ALL
    by_prefix = logs.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="fit-1/", filterPattern="line")
    assert lines(by_prefix) == ALL
    with pytest.raises(ClientError, match="cannot both be given"):
        logs.filter_log_events(logGroupName=GROUP, logStreamNames=[stream], logStreamNamePrefix="fit")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.filter_log_events(logGroupName=GROUP, logStreamNames=["none/algo-1-1"])


def test_a_search_comes_in_pages(logs):
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, filterPattern="line", PaginationConfig={"PageSize": 7}
    )
    found = [(event["logStreamName"], event["message"]) for page in pages for event in page["events"]]
    assert len(found) == len(set(found)) == 80
    assert [text for name, text in found if name.startswith("fit-10/")] == ALL


def test_a_search_is_bounded_by_times(logs, stream):
    event = get(logs, stream, startFromHead=True)["events"][-1]
    options = {"logGroupName": GROUP, "logStreamNames": [stream]}
    assert lines(logs.filter_log_events(**options, startTime=event["timestamp"]))[-1] == "line 19"
    assert lines(logs.filter_log_events(**options, startTime=event["timestamp"] + 1)) == []
    assert lines(logs.filter_log_events(**options, endTime=1)) == []


@pytest.mark.parametrize("token", ["x", "e30=", "W10=", "eyJmaXQiOiAieCJ9"])
def test_a_forged_search_token_does_no_harm(logs, token):
    if token == "e30=":
        assert len(lines(logs.filter_log_events(logGroupName=GROUP, nextToken=token))) > 80
        return
    with pytest.raises(ClientError, match="nextToken is invalid"):
        logs.filter_log_events(logGroupName=GROUP, nextToken=token)


def test_a_search_token_in_the_middle_of_a_line_is_invalid(logs, stream):
    token = base64.urlsafe_b64encode(json.dumps({stream: 3}).encode()).decode()
    with pytest.raises(ClientError, match="nextToken is invalid"):
        logs.filter_log_events(logGroupName=GROUP, nextToken=token)


@pytest.mark.parametrize("pattern", ["{ $.a = 1 }", "[a, b]", '"open', "%(%"])
def test_a_pattern_that_is_not_served_is_refused(logs, pattern):
    with pytest.raises(ClientError, match="Invalid filter pattern") as caught:
        logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
