"""Requests are spelled as botocore's model has them, and refused here where the service would refuse them."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from sm_remote.aws.constraints import check_request
from sm_remote.aws.requests import build_create_training_job, merge
from sm_remote.spec import (
    Channel,
    InstanceGroup,
    MetricDefinition,
    Observation,
    PrivateRegistry,
    Resources,
    TrainingJobSpec,
    Vpc,
)

SPEC = TrainingJobSpec(
    name="train-1",
    role_arn="arn:aws:iam::000000000000:role/sm-remote-local",
    image_uri="sm-remote-local/python:3.11.7-0123456789ab",
    output_uri="s3://sm-remote-local/sm_remote/jobs",
    resources=Resources(instance_type="ml.m5.large", keep_alive_period_s=60),
    entrypoint=("python3", "-c", "pass"),
    arguments=("1", "pass"),
    channels=(
        Channel(name="sm_remote", s3_uri="s3://b/k.manifest", s3_data_type="ManifestFile", content_type="a/b"),
        Channel(name="train", s3_uri="s3://b/train/"),
    ),
    environment={"A": "1"},
    hyperparameters={"epochs": "5"},
    metric_definitions=(MetricDefinition(name="loss", regex="loss=([0-9.]+)"),),
    tags=(("sm_remote:function", "train"),),
    network_isolation=True,
)
WIDE = replace(
    SPEC,
    resources=Resources(
        instance_type="ml.m5.large",
        instance_count=3,
        volume_kms_key="alias/disks",
        groups=(
            InstanceGroup(name="small", instance_type="ml.m5.large", instance_count=1),
            InstanceGroup(name="large", instance_type="ml.m5.xlarge", instance_count=2),
        ),
        training_plan_arn="arn:aws:sagemaker:us-east-1:111122223333:training-plan/reserved",
    ),
    compress_output=True,
    output_kms_key="arn:aws:kms:us-east-1:111122223333:key/1",
    vpc=Vpc(subnets=("subnet-1",), security_group_ids=("sg-1", "sg-2")),
    encrypt_traffic=True,
    max_retries=3,
    max_pending_s=7200,
    private_registry=PrivateRegistry(credentials_provider_arn="arn:aws:lambda:us-east-1:111122223333:function:login"),
    session_tag_chaining=True,
    observation=Observation(
        remote_debug=True,
        infra_check=True,
        metrics_time_series=True,
        experiment={"ExperimentName": "digits"},
        profiler={"S3OutputPath": "s3://b/profiles"},
        debugger_hook={"S3OutputPath": "s3://b/tensors"},
        tensorboard={"S3OutputPath": "s3://b/board"},
    ),
    extra={"MlflowConfig": {"MlflowResourceArn": "arn:aws:sagemaker:us-east-1:111122223333:mlflow-app/x"}},
)


@pytest.mark.parametrize("spec", [SPEC, WIDE], ids=["usual", "with all there is"])
def test_a_full_spec_is_valid_under_botocores_model(spec: TrainingJobSpec) -> None:
    request = build_create_training_job(spec)
    shape = get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
    assert not ParamValidator().validate(request, shape).has_errors()
    assert check_request("CreateTrainingJob", request) == []


def test_members_without_a_value_are_left_out() -> None:
    bare = replace(SPEC, channels=(), environment={}, hyperparameters={}, tags=(), metric_definitions=())
    request = build_create_training_job(bare)
    assert not {"InputDataConfig", "Environment", "HyperParameters", "Tags"} & set(request)
    assert "MetricDefinitions" not in request["AlgorithmSpecification"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": "a_b"}, "TrainingJobName"),
        ({"name": "a" * 64}, "at most 63"),
        ({"arguments": ("x" * 257,)}, "at most 256"),
        ({"arguments": ("x",) * 101}, "at most 100"),
        ({"environment": {"1A": "x"}}, "Environment key"),
        ({"environment": {"A": "x" * 513}}, "at most 512"),
        ({"resources": Resources(instance_type="ml.nothing.large")}, "ResourceConfig.InstanceType"),
        ({"role_arn": "nobody"}, "RoleArn"),
        ({"max_runtime_s": 0}, "at least 1"),
        ({"output_uri": "/tmp/x"}, "S3OutputPath"),
        ({"tags": (("k", "bad|value"),)}, "Tags[0].Value"),
    ],
)
def test_what_botocore_lets_pass_is_refused_here(change: dict[str, object], named: str) -> None:
    problems = check_request("CreateTrainingJob", build_create_training_job(replace(SPEC, **change)))
    assert len(problems) >= 1
    assert named in " ".join(problems)


def test_groups_stand_in_for_one_type_and_its_number() -> None:
    resources = build_create_training_job(WIDE)["ResourceConfig"]
    assert [group["InstanceGroupName"] for group in resources["InstanceGroups"]] == ["small", "large"]
    assert not {"InstanceType", "InstanceCount"} & set(resources)


@pytest.mark.parametrize(
    ("request_", "extra", "merged"),
    [
        ({"A": 1}, {}, {"A": 1}),
        ({"A": {"B": 1, "C": {"D": 2}}}, {"A": {"C": {"E": 3}}}, {"A": {"B": 1, "C": {"D": 2, "E": 3}}}),
        ({"A": [1, 2]}, {"A": [3]}, {"A": [3]}),
        ({"A": {"B": 1, "C": 2}}, {"A": {"B": None}}, {"A": {"C": 2}}),
        ({"A": 1}, {"A": {"B": {"C": None}}}, {"A": {"B": {}}}),
        ({}, {"InputDataConfig": [{"ChannelName": "x"}]}, {"InputDataConfig": [{"ChannelName": "x"}]}),
        (
            {"InputDataConfig": [{"ChannelName": "x", "ContentType": "a"}, {"ChannelName": "y"}]},
            {"InputDataConfig": [{"ChannelName": "z"}, {"ChannelName": "x", "InputMode": "Pipe"}]},
            {
                "InputDataConfig": [
                    {"ChannelName": "x", "ContentType": "a", "InputMode": "Pipe"},
                    {"ChannelName": "y"},
                    {"ChannelName": "z"},
                ]
            },
        ),
    ],
)
def test_what_is_extra_is_merged_in(request_: Any, extra: Any, merged: Any) -> None:
    before = copy.deepcopy((request_, extra))
    assert merge(request_, extra) == merged
    assert (request_, extra) == before
