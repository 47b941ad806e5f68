"""What DescribeTrainingJob says of a job's machines, whichever way they were asked for."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.aws.responses import parse_description
from tests.fakes.cli_world import build_answer

GROUPS = [
    {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    {"InstanceGroupName": "b", "InstanceType": "ml.g5.xlarge", "InstanceCount": 2},
]


@pytest.mark.parametrize(
    ("resources", "machines"),
    [
        ({"InstanceType": "ml.m5.large", "InstanceCount": 2}, (("ml.m5.large", 2),)),
        ({"InstanceType": "ml.m5.large"}, (("ml.m5.large", 1),)),
        ({"SelectedInstanceType": "ml.m5.large", "SelectedInstanceCount": 3}, (("ml.m5.large", 3),)),
        ({"InstanceGroups": GROUPS}, (("ml.m5.large", 1), ("ml.g5.xlarge", 2))),
        ({}, ()),
    ],
)
def test_machines_are_read_however_they_were_asked_for(resources: dict[str, Any], machines: Any) -> None:
    description = parse_description({**build_answer("fit-1"), "ResourceConfig": resources})
    assert description.machines == machines
    assert description.host_count == (sum(count for _, count in machines) or 1)
    assert description.instance_type == (machines[0][0] if machines else None)
