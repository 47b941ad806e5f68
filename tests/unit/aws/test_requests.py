"""Requests are spelled as botocore's model has them, and refused here where the service would refuse them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from sm_remote.aws.constraints import check_request
from sm_remote.aws.requests import build_create_training_job
from sm_remote.spec import Channel, MetricDefinition, Resources, TrainingJobSpec

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


def test_a_full_spec_is_valid_under_botocores_model() -> None:
    request = build_create_training_job(SPEC)
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
