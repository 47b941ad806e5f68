"""What of a job's data needs more than its channel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_remote.errors import ConfigError
from sm_remote.jobs.submission.inputs import check_file_systems, describe_inputs
from sm_remote.settings import resolve_settings
from sm_remote.spec import Channel, FileSystem, Resources, TrainingJobSpec, Vpc

SPEC = TrainingJobSpec(
    name="a",
    role_arn="arn:aws:iam::000000000000:role/r",
    image_uri="i",
    output_uri="s3://bucket/out",
    resources=Resources(instance_type="ml.m5.large"),
    channels=(Channel(name="efs", file_system=FileSystem(id="fs-01234567", type="EFS", directory_path="/")),),
)


def test_a_file_system_needs_the_vpc_that_it_is_in() -> None:
    with pytest.raises(ConfigError, match="'efs' is a file system") as caught:
        check_file_systems(SPEC)
    assert "subnets" in caught.value.fix
    check_file_systems(replace(SPEC, vpc=Vpc(subnets=("subnet-1",), security_group_ids=("sg-1",))))
    check_file_systems(replace(SPEC, channels=(Channel(name="s3", s3_uri="s3://bucket/x"),)))


def test_the_settings_say_how_much_may_be_sent() -> None:
    request = describe_inputs(resolve_settings({"inputs": {"x": "s3://bucket/x"}, "inputs_limit_bytes": 5}))
    assert (dict(request.values), request.limit_bytes) == ({"x": "s3://bucket/x"}, 5)
