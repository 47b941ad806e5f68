"""Search expressions over documents."""

from __future__ import annotations

import pytest

from sm_remote.service.operations.search_expressions import Matcher, UnknownPropertyError, find_values

DOCUMENT = {
    "TrainingJobName": "fit-1",
    "TrainingJobStatus": "Completed",
    "CreationTime": 1767225600.5,  # 2026-01-01T00:00:00
    "EnableNetworkIsolation": False,
    "HyperParameters": {"lr": "0.1", "a.b": "x", "name": "resnet"},
    "FinalMetricDataList": [{"MetricName": "val:acc", "Value": 0.75, "Timestamp": 1.0}],
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://mybucket/a"}}},
        {"ChannelName": "test", "DataSource": {"S3DataSource": {"S3Uri": "s3://other/b"}}},
    ],
    "Tags": [{"Key": "team", "Value": "vision"}, {"Key": "a.b", "Value": "dotted"}],
}
MATCHER = Matcher([*DOCUMENT, "FailureReason"], ["CreationTime"])


def matches(**expression) -> bool:
    MATCHER.check(expression)
    return MATCHER.matches(DOCUMENT, expression)


def passes(name: str, operator: str | None = None, value: str | None = None) -> bool:
    found = {"Name": name, "Operator": operator, "Value": value}
    return matches(Filters=[{key: each for key, each in found.items() if each is not None}])


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("TrainingJobStatus", None, "Completed", True),
        ("TrainingJobStatus", "Equals", "Failed", False),
        ("TrainingJobStatus", "NotEquals", "Failed", True),
        ("TrainingJobStatus", "In", "Failed, Completed", True),
        ("TrainingJobStatus", "In", "Failed,Stopped", False),
        ("TrainingJobName", "Contains", "it-", True),
        ("TrainingJobName", "Contains", "x", False),
        ("Tags.team", "Equals", "vision", True),
        ("Tags.team", "Exists", None, True),
        ("Tags.none", "Exists", None, False),
        ("Tags.none", "NotExists", None, True),
        ("Tags.a.b", "Equals", "dotted", True),
        ("FailureReason", "NotExists", None, True),
        ("FailureReason", "NotEquals", "x", True),
        ("FailureReason", "Equals", "x", False),
        ("HyperParameters.lr", "Equals", "0.10", True),
        ("HyperParameters.lr", "GreaterThanOrEqualTo", "0.1", True),
        ("HyperParameters.lr", "GreaterThan", "0.1", False),
        ("HyperParameters.a.b", "Equals", "x", True),
        ("HyperParameters.name", "LessThan", "5", False),
        ("Metrics.val:acc", "GreaterThan", "0.7", True),
        ("Metrics.val:acc", "LessThanOrEqualTo", "0.75", True),
        ("CreationTime", "Equals", "2026-01-01T00:00:00", True),
        ("CreationTime", "GreaterThanOrEqualTo", "2026-01-01T00:00:00Z", True),
        ("CreationTime", "LessThan", "2025-12-31T23:59:59", False),
        ("CreationTime", "LessThan", "soon", False),
        ("EnableNetworkIsolation", "Equals", "false", True),
        ("InputDataConfig.ChannelName", "Equals", "test", True),
        ("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "other", True),
    ],
)
def test_a_filter_is_that_of_the_service(name, operator, value, expected):
    assert passes(name, operator, value) is expected


def test_filters_and_expressions_are_joined_by_their_operator():
    right = {"Name": "TrainingJobStatus", "Value": "Completed"}
    wrong = {"Name": "TrainingJobStatus", "Value": "Failed"}
    assert matches()
    assert matches(Filters=[right, right])
    assert not matches(Filters=[right, wrong])
    assert matches(Filters=[right, wrong], Operator="Or")
    assert matches(SubExpressions=[{"Filters": [right, wrong], "Operator": "Or"}, {"Filters": [right]}])
    assert not matches(SubExpressions=[{"Filters": [right]}, {"SubExpressions": [{"Filters": [wrong]}]}])


def test_nested_filters_are_about_one_item():
    def nested(channel: str, bucket: str) -> bool:
        filters = [
            {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": channel},
            {"Name": "InputDataConfig.DataSource.S3DataSource.S3Uri", "Operator": "Contains", "Value": bucket},
        ]
        return matches(NestedFilters=[{"NestedPropertyName": "InputDataConfig", "Filters": filters}])

    assert nested("train", "mybucket")
    assert not nested("train", "other")


@pytest.mark.parametrize(
    "expression",
    [
        {"Filters": [{"Name": "Colour", "Value": "x"}]},
        {"SubExpressions": [{"Filters": [{"Name": "Colour.x", "Value": "x"}]}]},
        {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": [{"Name": "Colour"}]}]},
    ],
)
def test_a_property_that_no_job_has_is_named(expression):
    with pytest.raises(UnknownPropertyError, match="Colour"):
        MATCHER.check(expression)


def test_jobs_without_a_value_come_before_numbers_and_these_before_texts():
    places = [MATCHER.find_order(DOCUMENT, name) for name in ("FailureReason", "Metrics.val:acc", "TrainingJobName")]
    assert places == sorted(places)


def test_a_property_of_the_items_of_a_list_has_many_values():
    assert list(find_values(DOCUMENT, "InputDataConfig.ChannelName")) == ["train", "test"]
