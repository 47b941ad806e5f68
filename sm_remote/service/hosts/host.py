"""The hosts of a training job: algo-1, algo-2 ..., each of one instance type and in one instance group.

Source: SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information" (resourceconfig.json);
API_ResourceConfig (InstanceGroups).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HOMOGENEOUS_GROUP = "homogeneousCluster"
"""The instance group of a job that names none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """One host of a training job.

    Attributes:
        name: ``algo-1`` and so on, counted over all groups.
        instance_type: Such as ``ml.m5.xlarge``.
        instance_group: `HOMOGENEOUS_GROUP` where the request has no groups.
    """

    name: str
    instance_type: str
    instance_group: str = HOMOGENEOUS_GROUP


def list_hosts(request: Mapping[str, Any]) -> tuple[Host, ...]:
    """All hosts that a CreateTrainingJob request asks for, algo-1 first."""
    resources = request["ResourceConfig"]
    groups = resources.get("InstanceGroups") or (
        {
            "InstanceGroupName": HOMOGENEOUS_GROUP,
            "InstanceType": resources.get("SelectedInstanceType") or resources["InstanceType"],
            "InstanceCount": resources.get("SelectedInstanceCount") or resources["InstanceCount"],
        },
    )
    members = [group for group in groups for _ in range(group["InstanceCount"])]
    return tuple(
        Host(name=f"algo-{number}", instance_type=group["InstanceType"], instance_group=group["InstanceGroupName"])
        for number, group in enumerate(members, start=1)
    )
