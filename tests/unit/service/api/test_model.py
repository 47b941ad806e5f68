"""Validation by botocore's model, in AWS's words."""

from __future__ import annotations

import pytest

from sm_remote.service.api.errors import ApiError
from sm_remote.service.api.model import check_request, compile_pattern, find_input_shape
from tests.fakes.service import build_request

CREATE = find_input_shape("sagemaker", "CreateTrainingJob")


def refuse(**members) -> str:
    with pytest.raises(ApiError) as caught:
        check_request(CREATE, build_request(**members))
    assert caught.value.code == "ValidationException"
    return caught.value.message


def test_a_request_within_the_limits_passes():
    check_request(CREATE, build_request())


def test_a_name_with_a_forbidden_character_is_told_the_pattern():
    assert refuse(name="not_a_name") == (
        "1 validation error detected: Value 'not_a_name' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    )


def test_a_name_of_64_characters_is_told_the_length():
    assert "Member must have length less than or equal to 63" in refuse(name="a" * 64)


def test_an_unknown_instance_type_is_told_all_that_there_are():
    message = refuse(ResourceConfig={"InstanceType": "ml.t2.medium"})
    assert message.startswith(
        "1 validation error detected: Value 'ml.t2.medium' at 'resourceConfig.instanceType' failed to satisfy "
        "constraint: Member must satisfy enum value set: [ml.m4.xlarge, "
    )


def test_several_violations_are_counted_and_all_told():
    message = refuse(name="a_b", StoppingCondition={"MaxRuntimeInSeconds": 0})
    assert message.startswith("2 validation errors detected: Value 'a_b' at ")
    assert (
        "Value '0' at 'stoppingCondition.maxRuntimeInSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1" in message
    )


def test_a_list_item_is_named_by_its_number():
    channel = {
        "ChannelName": "a b",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/key"}},
    }
    assert "at 'inputDataConfig.1.member.channelName'" in refuse(InputDataConfig=[channel])


def test_a_required_member_that_is_missing_is_null():
    request = build_request()
    del request["RoleArn"]
    with pytest.raises(ApiError) as caught:
        check_request(CREATE, request)
    assert "Value null at 'roleArn' failed to satisfy constraint: Member must not be null" in caught.value.message


@pytest.mark.parametrize(
    ("environment", "what"), [({"1A": "x"}, "Map keys must satisfy"), ({"A": "x" * 513}, "Map value must satisfy")]
)
def test_a_maps_keys_and_values_are_checked(environment, what):
    assert what in refuse(Environment=environment)


@pytest.mark.parametrize("arguments", [["x" * 257], ["two\nlines"], ["x"] * 101])
def test_container_arguments_have_the_limits_of_the_model(arguments):
    assert "containerArguments" in refuse(AlgorithmSpecification={"ContainerArguments": arguments})


@pytest.mark.parametrize(
    "members",
    [
        {"TrainingJobName": 5},
        {"EnableNetworkIsolation": "yes"},
        {"HyperParameters": {"a": 1}},
        {"HyperParameters": ["a"]},
        {"StoppingCondition": {"MaxRuntimeInSeconds": True}},
        {"TrainingJobName": "\ud800"},
    ],
)
def test_a_wrong_type_is_a_serialization_exception(members):
    with pytest.raises(ApiError) as caught:
        check_request(CREATE, build_request(**members))
    assert caught.value.code == "SerializationException"


def test_members_that_the_model_does_not_know_are_ignored():
    check_request(CREATE, build_request(SomethingOfNextYear={"a": 1}))


def test_unicode_classes_of_the_model_are_understood():
    pattern = compile_pattern(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")
    assert pattern.fullmatch("Projekt Wärme 42")
    assert not pattern.fullmatch("a|b")
