"""What the members of a CreateTrainingJob request have to do with each other."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sm_remote.service.api.errors import ApiError
from sm_remote.service.api.model import check_request, find_input_shape
from sm_remote.service.operations.job_rules import find_broken_rules
from tests.fakes.service import build_request
from tests.training_job_requests import valid_requests

CREATE = find_input_shape("sagemaker", "CreateTrainingJob")
GONE = object()


def check(request: dict[str, Any]) -> None:
    check_request(CREATE, request, find_broken_rules)


def refuse(request: dict[str, Any]) -> str:
    with pytest.raises(ApiError) as caught:
        check(request)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def alter(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a path such as ``InputDataConfig.0.ChannelName``; what is missing is made."""
    altered = copy.deepcopy(request)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = altered
    for parent in parents:
        place = place[parent] if isinstance(parent, int) else place.setdefault(parent, {})
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return altered


def channel(name: str = "train", mode: str | None = None, **source: Any) -> dict[str, Any]:
    built = {
        "ChannelName": name,
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data/", **source}},
    }
    return {**built, "InputMode": mode} if mode else built


FILE_SYSTEM = {
    "FileSystemDataSource": {
        "FileSystemId": "fs-01234567",
        "FileSystemAccessMode": "ro",
        "FileSystemType": "EFS",
        "DirectoryPath": "/data",
    }
}
GROUP = {"InstanceGroupName": "g", "InstanceType": "ml.m5.large", "InstanceCount": 1}
RULE = {"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}
SPOT = {"EnableManagedSpotTraining": True}
CHECKPOINTS = {"CheckpointConfig": {"S3Uri": "s3://bucket/c"}}
INPUT = {"InputDataConfig": [channel()]}

MUTATIONS: list[tuple[dict[str, Any], str, Any, str]] = [
    # Members that are missing.
    ({}, "TrainingJobName", GONE, "'trainingJobName'"),
    ({}, "RoleArn", GONE, "'roleArn'"),
    ({}, "OutputDataConfig", GONE, "'outputDataConfig'"),
    ({}, "AlgorithmSpecification", GONE, "'algorithmSpecification'"),
    ({}, "ResourceConfig", GONE, "'resourceConfig'"),
    ({}, "StoppingCondition", GONE, "'stoppingCondition'"),
    ({}, "AlgorithmSpecification.TrainingInputMode", GONE, "'algorithmSpecification.trainingInputMode'"),
    ({}, "OutputDataConfig.S3OutputPath", GONE, "'outputDataConfig.s3OutputPath'"),
    ({}, "ResourceConfig.InstanceType", GONE, "'resourceConfig.instanceType'"),
    ({}, "ResourceConfig.InstanceCount", GONE, "'resourceConfig.instanceCount'"),
    ({}, "ResourceConfig.VolumeSizeInGB", GONE, "'resourceConfig.volumeSizeInGB'"),
    ({}, "RetryStrategy", {}, "'retryStrategy.maximumRetryAttempts'"),
    ({}, "CheckpointConfig", {}, "'checkpointConfig.s3Uri'"),
    ({}, "VpcConfig", {"Subnets": ["s"]}, "'vpcConfig.securityGroupIds'"),
    ({}, "ProfilerConfig", {}, "'profilerConfig.s3OutputPath'"),
    # Limits of the model.
    ({}, "TrainingJobName", "a" * 64, "'trainingJobName'"),
    ({}, "TrainingJobName", "a_b", "'trainingJobName'"),
    ({}, "HyperParameters", {"k": "v" * 2501}, "'hyperParameters'"),
    ({}, "HyperParameters", {"k" * 257: "v"}, "'hyperParameters'"),
    ({}, "HyperParameters", {str(number): "" for number in range(101)}, "'hyperParameters'"),
    ({}, "Environment", {f"K{number}": "" for number in range(101)}, "'environment'"),
    ({}, "Environment", {"K": "v" * 513}, "'environment'"),
    ({}, "Environment", {"1": ""}, "'environment'"),
    ({}, "InputDataConfig", [], "'inputDataConfig'"),
    ({}, "InputDataConfig", [channel(f"c{number}") for number in range(21)], "'inputDataConfig'"),
    (INPUT, "InputDataConfig.0.ChannelName", "a b", "'inputDataConfig.1.member.channelName'"),
    (INPUT, "InputDataConfig.0.ChannelName", "c" * 65, "'inputDataConfig.1.member.channelName'"),
    (INPUT, "InputDataConfig.0.ContentType", "c" * 257, "'inputDataConfig.1.member.contentType'"),
    (INPUT, "InputDataConfig.0.InputMode", "Stream", "'inputDataConfig.1.member.inputMode'"),
    (INPUT, "InputDataConfig.0.ShuffleConfig", {}, "'inputDataConfig.1.member.shuffleConfig.seed'"),
    (INPUT, "InputDataConfig.0", None, "'inputDataConfig.1.member'"),
    (
        INPUT,
        "InputDataConfig.0.DataSource.S3DataSource.S3Uri",
        "file:///etc",
        "'inputDataConfig.1.member.dataSource.s3DataSource.s3Uri'",
    ),
    (
        INPUT,
        "InputDataConfig.0.DataSource.S3DataSource.S3DataType",
        "Table",
        "'inputDataConfig.1.member.dataSource.s3DataSource.s3DataType'",
    ),
    ({}, "OutputDataConfig.CompressionType", "ZIP", "'outputDataConfig.compressionType'"),
    ({}, "OutputDataConfig.KmsKeyId", "k" * 2049, "'outputDataConfig.kmsKeyId'"),
    ({}, "ResourceConfig.InstanceType", "ml.t2.medium", "'resourceConfig.instanceType'"),
    ({}, "ResourceConfig.KeepAlivePeriodInSeconds", 21601, "'resourceConfig.keepAlivePeriodInSeconds'"),
    ({}, "StoppingCondition.MaxRuntimeInSeconds", 0, "'stoppingCondition.maxRuntimeInSeconds'"),
    ({}, "StoppingCondition.MaxPendingTimeInSeconds", 1799, "'stoppingCondition.maxPendingTimeInSeconds'"),
    ({}, "StoppingCondition.MaxPendingTimeInSeconds", 2419201, "'stoppingCondition.maxPendingTimeInSeconds'"),
    ({}, "RetryStrategy.MaximumRetryAttempts", 31, "'retryStrategy.maximumRetryAttempts'"),
    ({}, "VpcConfig", {"SecurityGroupIds": ["s"] * 6, "Subnets": ["s"]}, "'vpcConfig.securityGroupIds'"),
    ({}, "VpcConfig", {"SecurityGroupIds": ["s"], "Subnets": ["s"] * 17}, "'vpcConfig.subnets'"),
    ({}, "VpcConfig", {"SecurityGroupIds": ["s_1"], "Subnets": ["s"]}, "'vpcConfig.securityGroupIds.1.member'"),
    ({}, "Tags", [{"Key": str(number), "Value": ""} for number in range(51)], "'tags'"),
    ({}, "Tags", [{"Key": "|", "Value": ""}], "'tags.1.member.key'"),
    ({}, "Tags", [{"Key": "k", "Value": "v" * 257}], "'tags.1.member.value'"),
    ({}, "RoleArn", "arn:aws:iam::1:user/somebody", "'roleArn'"),
    ({}, "ExperimentConfig", {"ExperimentName": "e" * 121}, "'experimentConfig.experimentName'"),
    ({}, "DebugRuleConfigurations", [RULE] * 21, "'debugRuleConfigurations'"),
    (
        {},
        "AlgorithmSpecification.ContainerArguments",
        ["a" * 257],
        "'algorithmSpecification.containerArguments.1.member'",
    ),
    ({}, "AlgorithmSpecification.ContainerEntrypoint", ["a"] * 101, "'algorithmSpecification.containerEntrypoint'"),
    ({}, "AlgorithmSpecification.TrainingImage", "i" * 256, "'algorithmSpecification.trainingImage'"),
    (
        {},
        "AlgorithmSpecification.MetricDefinitions",
        [{"Name": "m", "Regex": "(.)"}] * 41,
        "'algorithmSpecification.metricDefinitions'",
    ),
    (
        {},
        "AlgorithmSpecification.MetricDefinitions",
        [{"Name": "m", "Regex": "r" * 501}],
        "'algorithmSpecification.metricDefinitions.1.member.regex'",
    ),
    # Members that have to do with each other.
    ({}, "AlgorithmSpecification.TrainingImage", GONE, "'algorithmSpecification.trainingImage'"),
    ({}, "AlgorithmSpecification.AlgorithmName", "xgboost", "'algorithmSpecification.trainingImage'"),
    (
        {},
        "AlgorithmSpecification.MetricDefinitions",
        [{"Name": "m", "Regex": "("}],
        "'algorithmSpecification.metricDefinitions.1.member.regex'",
    ),
    ({}, "AlgorithmSpecification.ContainerArguments", ["\0"], "'algorithmSpecification.containerArguments'"),
    ({}, "Environment", {"K": "\0"}, "'environment'"),
    (
        {},
        "AlgorithmSpecification.TrainingImageConfig",
        {"TrainingRepositoryAccessMode": "Vpc"},
        "'algorithmSpecification.trainingImageConfig.trainingRepositoryAccessMode'",
    ),
    ({}, "ResourceConfig.InstanceCount", 0, "'resourceConfig.instanceCount'"),
    ({}, "ResourceConfig.VolumeSizeInGB", 0, "'resourceConfig.volumeSizeInGB'"),
    ({}, "ResourceConfig.InstanceGroups", [GROUP], "'resourceConfig.instanceGroups'"),
    (
        {},
        "ResourceConfig",
        {"InstanceGroups": [GROUP, GROUP], "VolumeSizeInGB": 1},
        "'resourceConfig.instanceGroups.2.",
    ),
    (
        {},
        "ResourceConfig",
        {"InstanceGroups": [{**GROUP, "InstanceCount": 0}], "VolumeSizeInGB": 1},
        "'resourceConfig.instanceGroups.1.member.instanceCount'",
    ),
    (
        {},
        "ResourceConfig",
        {"InstanceGroups": [GROUP], "VolumeSizeInGB": 1, "KeepAlivePeriodInSeconds": 60},
        "'resourceConfig.keepAlivePeriodInSeconds'",
    ),
    (
        {},
        "ResourceConfig.InstancePreferences",
        [{"InstanceType": "ml.m5.large"}],
        "'resourceConfig.instancePreferences'",
    ),
    (
        {},
        "ResourceConfig",
        {"InstancePreferences": [{"InstanceType": "ml.m5.large"}], "VolumeSizeInGB": 1},
        "'resourceConfig.instancePreferences.1.member.instanceCount'",
    ),
    ({}, "ResourceConfig.SelectedInstanceType", "ml.m5.large", "'resourceConfig.selectedInstanceType'"),
    (
        {"ResourceConfig": {"InstanceType": "ml.g5.xlarge"}},
        "ResourceConfig.VolumeKmsKeyId",
        "key",
        "'resourceConfig.volumeKmsKeyId'",
    ),
    (
        {**SPOT, "StoppingCondition": {"MaxWaitTimeInSeconds": 60}},
        "ResourceConfig.KeepAlivePeriodInSeconds",
        1,
        "'resourceConfig.keepAlivePeriodInSeconds'",
    ),
    ({}, "StoppingCondition.MaxRuntimeInSeconds", 28 * 86400 + 1, "'stoppingCondition.maxRuntimeInSeconds'"),
    ({}, "StoppingCondition.MaxWaitTimeInSeconds", 60, "MaxWaitTimeInSeconds"),
    ({}, "EnableManagedSpotTraining", True, "MaxWaitTimeInSeconds"),
    (SPOT, "StoppingCondition.MaxWaitTimeInSeconds", 59, "MaxWaitTimeInSeconds"),
    ({}, "InputDataConfig", [channel(), channel()], "'inputDataConfig.2.member.channelName'"),
    ({}, "InputDataConfig", [channel("..")], "'inputDataConfig.1.member.channelName'"),
    (INPUT, "InputDataConfig.0.DataSource", {}, "'inputDataConfig.1.member.dataSource'"),
    (
        INPUT,
        "InputDataConfig.0.DataSource.S3DataSource.S3Uri",
        "s3://sm-remote-local/../x",
        "'inputDataConfig.1.member.dataSource.s3DataSource.s3Uri'",
    ),
    (
        INPUT,
        "InputDataConfig.0.DataSource.S3DataSource.S3DataType",
        "AugmentedManifestFile",
        "'inputDataConfig.1.member.dataSource.s3DataSource.attributeNames'",
    ),
    (
        INPUT,
        "InputDataConfig.0.DataSource.S3DataSource.AttributeNames",
        ["label"],
        "'inputDataConfig.1.member.dataSource.s3DataSource.attributeNames'",
    ),
    (
        INPUT,
        "InputDataConfig.0.DataSource.S3DataSource.InstanceGroupNames",
        ["g"],
        "'inputDataConfig.1.member.dataSource.s3DataSource.instanceGroupNames'",
    ),
    (
        {},
        "InputDataConfig",
        [channel(mode="FastFile", S3DataType="ManifestFile")],
        "'inputDataConfig.1.member.inputMode'",
    ),
    (INPUT, "InputDataConfig.0.DataSource", FILE_SYSTEM, "'inputDataConfig.1.member.dataSource.fileSystemDataSource'"),
    (
        {"VpcConfig": {"SecurityGroupIds": ["s"], "Subnets": ["s"]}},
        "InputDataConfig",
        [{"ChannelName": "train", "DataSource": FILE_SYSTEM, "InputMode": "Pipe"}],
        "'inputDataConfig.1.member.inputMode'",
    ),
    ({}, "OutputDataConfig.S3OutputPath", "s3://sm-remote-local/../../x", "'outputDataConfig.s3OutputPath'"),
    ({}, "OutputDataConfig.S3OutputPath", "https://bucket/x", "'outputDataConfig.s3OutputPath'"),
    *(
        (
            {"CheckpointConfig": {"S3Uri": "s3://bucket/c"}},
            "CheckpointConfig.LocalPath",
            path,
            "'checkpointConfig.localPath'",
        )
        for path in ("checkpoints", "/", "/opt", "/opt/ml", "/opt/ml/input/data", "/opt/ml/model/", "/a/../b", "/a/\0")
    ),
    ({}, "Tags", [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}], "'tags.2.member.key'"),
    ({}, "Tags", [{"Key": "AWS:k", "Value": "1"}], "'tags.1.member.key'"),
    (
        {},
        "ProfilerConfig",
        {"S3OutputPath": "s3://b/p", "ProfilingIntervalInMilliseconds": 250},
        "'profilerConfig.profilingIntervalInMilliseconds'",
    ),
    ({}, "ProfilerRuleConfigurations", [RULE, RULE], "'profilerRuleConfigurations.1.member.ruleConfigurationName'"),
]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(valid_requests())
def test_every_valid_request_passes(request):
    check(request)


@pytest.mark.parametrize(("members", "path", "value", "named"), MUTATIONS)
def test_a_single_mutation_names_its_path(members, path, value, named):
    request = build_request(**members)
    assert named in refuse(alter(request, path, value))


def test_what_the_mutations_start_from_passes_where_it_is_whole():
    for members, *_ in MUTATIONS:
        if members and members != SPOT:
            check(build_request(**members))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(valid_requests())
def test_all_that_is_wrong_is_told_in_one_message(request):
    wrong = {**request, "TrainingJobName": "a_b", "RoleArn": "nobody", "Tags": [{"Key": "aws:x", "Value": ""}]}
    wrong["StoppingCondition"] = {"MaxRuntimeInSeconds": 28 * 86400 + 1, "MaxWaitTimeInSeconds": 28 * 86400 + 1}
    wrong["EnableManagedSpotTraining"] = False
    message = refuse(wrong)
    assert message.startswith("6 validation errors detected: Value 'a_b' at 'trainingJobName' failed to satisfy")
    for named in (
        "'roleArn'",
        "'tags.1.member.key'",
        "'stoppingCondition.maxRuntimeInSeconds'",
        "MaxWaitTimeInSeconds",
    ):
        assert named in message


def test_max_wait_without_spot_is_refused_in_sagemakers_words():
    assert refuse(build_request(StoppingCondition={"MaxWaitTimeInSeconds": 60})) == (
        "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
    )


@pytest.mark.parametrize(
    "member",
    [
        "AlgorithmSpecification",
        "Environment",
        "RetryStrategy",
        "CheckpointConfig",
        "ExperimentConfig",
        "ProfilerConfig",
    ],
)
def test_a_serverless_job_has_none_of_the_members_of_another(member):
    base = "arn:aws:sagemaker:us-east-1:aws:hub-content/SageMakerPublicHub/Model/some-model/1.0.0"
    request = build_request(ServerlessJobConfig={"BaseModelArn": base, "JobType": "FineTuning"})
    values = {
        "AlgorithmSpecification": request["AlgorithmSpecification"],
        "RetryStrategy": {"MaximumRetryAttempts": 1},
        "CheckpointConfig": {"S3Uri": "s3://bucket/c"},
        "ProfilerConfig": {"DisableProfiler": True},
        "ExperimentConfig": {"RunName": "r"},
        "Environment": {"A": "b"},
    }
    del request["AlgorithmSpecification"], request["ResourceConfig"], request["StoppingCondition"]
    check(request)
    path = member[:1].lower() + member[1:]
    message = refuse({**request, member: values[member]})
    assert f"at '{path}' failed to satisfy constraint: Member must be null when ServerlessJobConfig is given" in message


def test_any_request_with_the_right_types_is_judged_without_an_error_of_ours():
    for request in (
        {},
        {"Tags": [None]},
        {"InputDataConfig": [{}]},
        {"ResourceConfig": {}},
        {"ServerlessJobConfig": {}},
    ):
        assert "validation error" in refuse(request)
