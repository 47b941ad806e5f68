"""ListTrainingJobs and tags, as boto3 sees them."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    from sm_remote.home import Home

    directory = tmp_path_factory.mktemp("listing")
    return Home(data=directory, cache=directory / "cache")


@pytest.fixture(scope="module")
def client(shared_home):
    """Five jobs: a-1 and b-3 failed, c-4 still runs."""
    go = threading.Event()

    def play(container) -> int:
        if container.spec.name.startswith("smr-c"):
            go.wait(120)
        return int("1" in container.spec.name.split("-a1")[0] or "3" in container.spec.name.split("-a1")[0])

    with serve(shared_home, FakeEngine(play)) as discovery:
        made = make_client(discovery)
        for name in ("a-1", "B-0", "b-3", "a-2"):
            made.create_training_job(**build_request(name))
            wait_for_end(made, name)
        made.create_training_job(**build_request("c-4"))
        yield made
        go.set()
        wait_for_end(made, "c-4")


def names(answer) -> list[str]:
    return [job["TrainingJobName"] for job in answer["TrainingJobSummaries"]]


CREATED = ["a-1", "B-0", "b-3", "a-2", "c-4"]


def test_the_newest_comes_first(client):
    assert names(client.list_training_jobs()) == CREATED[::-1]


def test_a_summary_says_where_a_job_stands(client):
    (failed,) = client.list_training_jobs(NameContains="a-1")["TrainingJobSummaries"]
    assert (failed["TrainingJobStatus"], failed["SecondaryStatus"]) == ("Failed", "Failed")
    assert failed["TrainingEndTime"] >= failed["CreationTime"]
    assert failed["TrainingJobArn"].endswith(":training-job/a-1")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"SortOrder": "Ascending"}, CREATED),
        ({"SortBy": "Name", "SortOrder": "Ascending"}, ["B-0", "a-1", "a-2", "b-3", "c-4"]),
        ({"SortBy": "Name", "SortOrder": "Descending"}, ["c-4", "b-3", "a-2", "a-1", "B-0"]),
        ({"SortBy": "Status", "SortOrder": "Ascending"}, ["B-0", "a-2", "a-1", "b-3", "c-4"]),
        ({"NameContains": "b-"}, ["b-3", "B-0"]),
        ({"NameContains": "zz"}, []),
        ({"StatusEquals": "Failed"}, ["b-3", "a-1"]),
        ({"StatusEquals": "InProgress"}, ["c-4"]),
        ({"WarmPoolStatusEquals": "Available"}, []),
    ],
)
def test_jobs_are_sorted_and_filtered(client, options, expected):
    assert names(client.list_training_jobs(**options)) == expected


@pytest.mark.parametrize("sort_by", ["Name", "CreationTime", "Status"])
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_pages_hold_every_job_once(client, sort_by, order, size):
    whole = names(client.list_training_jobs(SortBy=sort_by, SortOrder=order))
    pages = client.get_paginator("list_training_jobs").paginate(
        SortBy=sort_by, SortOrder=order, PaginationConfig={"PageSize": size}
    )
    assert [name for page in pages for name in names(page)] == whole


def test_a_status_is_looked_for_after_the_page_is_cut(client):
    page = client.list_training_jobs(StatusEquals="Failed", MaxResults=2)
    assert names(page) == []
    assert "NextToken" in page


def test_times_bound_the_list(client):
    created = client.describe_training_job(TrainingJobName="b-3")["CreationTime"]
    hour = timedelta(hours=1)
    for member in ("CreationTime", "LastModifiedTime"):
        assert names(client.list_training_jobs(**{f"{member}After": created - hour})) == CREATED[::-1]
        assert names(client.list_training_jobs(**{f"{member}After": created + hour})) == []
        assert names(client.list_training_jobs(**{f"{member}Before": created + hour})) == CREATED[::-1]
        assert names(client.list_training_jobs(**{f"{member}Before": created - hour})) == []


@pytest.mark.parametrize("token", ["x", "bnVsbA==", "WyJuYW1lIiwgMSwgMV0=", "W10=", "é"])
def test_a_forged_token_is_invalid(client, token):
    with pytest.raises(ClientError, match="Invalid NextToken"):
        client.list_training_jobs(NextToken=token)


def test_a_page_of_none_is_refused_by_the_model(client):
    with pytest.raises(ClientError, match="Member must have value less than or equal to 100"):
        client.list_training_jobs(MaxResults=101)


def test_tags_are_added_replaced_listed_and_removed(client):
    arn = client.describe_training_job(TrainingJobName="B-0")["TrainingJobArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    answer = client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}])
    expected = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    assert answer["Tags"] == client.list_tags(ResourceArn=arn)["Tags"] == expected
    client.delete_tags(ResourceArn=arn, TagKeys=["a", "never there"])
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": ""}]


def test_more_than_fifty_tags_are_refused(client):
    arn = client.describe_training_job(TrainingJobName="a-2")["TrainingJobArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    with pytest.raises(ClientError, match="at most 50"):
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "one more", "Value": ""}])


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sagemaker:us-east-1:000000000000:training-job/none",
        "arn:aws:sagemaker:eu-west-1:000000000000:training-job/a-1",
        "arn:aws:sagemaker:us-east-1:000000000000:endpoint/a-1",
    ],
)
def test_tags_of_what_is_not_there_are_refused(client, arn):
    with pytest.raises(ClientError, match="Requested resource not found"):
        client.list_tags(ResourceArn=arn)


def search(client, *filters, **options):
    expression = {"SearchExpression": {"Filters": list(filters)}} if filters else {}
    return client.search(Resource="TrainingJob", **expression, **options)


def found(answer) -> list[str]:
    return [each["TrainingJob"]["TrainingJobName"] for each in answer["Results"]]


FAILED = {"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Failed"}


def test_jobs_are_found_by_status_name_time_and_tag(client):
    arn = client.describe_training_job(TrainingJobName="b-3")["TrainingJobArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "vision"}])
    by_creation = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    assert found(search(client, FAILED, **by_creation)) == ["a-1", "b-3"]
    assert found(search(client, {"Name": "TrainingJobName", "Operator": "Contains", "Value": "a-"}, **by_creation)) == [
        "a-1",
        "a-2",
    ]
    assert found(search(client, {"Name": "Tags.team", "Operator": "Equals", "Value": "vision"})) == ["b-3"]
    assert found(search(client, {"Name": "CreationTime", "Operator": "LessThan", "Value": "2020-01-01T00:00:00"})) == []
    client.delete_tags(ResourceArn=arn, TagKeys=["team"])


def test_a_search_shows_the_whole_job_and_counts_all_hits(client):
    answer = search(client, FAILED, MaxResults=1)
    (result,) = answer["Results"]
    assert result["TrainingJob"]["ResourceConfig"]["InstanceType"] == "ml.m5.large"
    assert result["TrainingJob"]["SecondaryStatusTransitions"][-1]["Status"] == "Failed"
    assert answer["TotalHits"] == {"Value": 2, "Relation": "EqualTo"}


@pytest.mark.parametrize("sort_by", ["TrainingJobName", "CreationTime", "TrainingJobStatus", "TrainingEndTime"])
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_pages_of_a_search_hold_every_job_once(client, sort_by, order):
    options = {"SortBy": sort_by, "SortOrder": order}
    whole = found(search(client, **options, MaxResults=100))
    assert sorted(whole) == sorted(CREATED)
    pages = client.get_paginator("search").paginate(Resource="TrainingJob", **options, PaginationConfig={"PageSize": 2})
    assert [name for page in pages for name in found(page)] == whole


def test_the_latest_change_is_found_first(client):
    changed = [each["TrainingJob"]["LastModifiedTime"] for each in search(client, MaxResults=100)["Results"]]
    assert changed == sorted(changed, reverse=True)


def test_nothing_is_found_of_other_resources(client):
    assert client.search(Resource="Experiment")["Results"] == []


def test_a_search_for_an_unknown_property_or_with_a_forged_token_is_refused(client):
    with pytest.raises(ClientError, match="Unknown property name: Colour"):
        search(client, {"Name": "Colour", "Value": "red"})
    with pytest.raises(ClientError, match="Invalid NextToken"):
        search(client, NextToken="W10=")


def test_tags_of_the_system_cannot_be_added(client):
    arn = client.describe_training_job(TrainingJobName="b-3")["TrainingJobArn"]
    with pytest.raises(ClientError, match="System tags cannot be added"):
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": ""}])
