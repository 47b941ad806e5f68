"""What a call's settings say beside its function; the golden requests have each member."""

from __future__ import annotations

import boto3
import pytest

from sm_remote.jobs.submission.members import choose_resources, describe_unused
from sm_remote.settings import resolve_settings
from sm_remote.spec import InstanceGroup

GROUPS = [
    {"InstanceGroupName": "small", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    {"InstanceGroupName": "large", "InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
]


@pytest.fixture
def resolve(tmp_path):
    def run(**arguments):
        return resolve_settings(arguments, environ={"HOME": str(tmp_path)}, cwd=tmp_path, notebook={})

    return run


def test_groups_have_the_first_ones_type_and_all_machines(resolve):
    resources = choose_resources(resolve(instance_groups=GROUPS))
    assert resources.groups == (
        InstanceGroup(name="small", instance_type="ml.m5.large", instance_count=1),
        InstanceGroup(name="large", instance_type="ml.m5.xlarge", instance_count=2),
    )
    assert (resources.instance_type, resources.instance_count) == ("ml.m5.large", 3)


def test_a_session_that_nobody_uses_is_said(resolve):
    session = boto3.Session("a", "b", region_name="eu-west-1")
    (line,) = describe_unused(resolve(sagemaker_session=session))
    assert line.startswith("sagemaker_session is not used")
    assert describe_unused(resolve(sagemaker_session=session, target="sagemaker")) == []
    assert describe_unused(resolve()) == []
