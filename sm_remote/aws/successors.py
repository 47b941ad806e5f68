"""The request of a job that takes another's place: the same but for its name, its capacity and its variables. Pure.

It is built in the API's own spelling out of what the API says of the other job, so that nothing that was asked for can
be forgotten, and any process can do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.aws.constraints import list_members
from sm_remote.aws.responses import TrainingJobDescription


def rebuild_request(description: TrainingJobDescription, tags: Mapping[str, str]) -> dict[str, Any]:
    """What CreateTrainingJob was asked for a job.

    Source: API_DescribeTrainingJob, which answers with the members of the request, but for the tags; API_Tag: keys that
    begin with ``aws:`` are AWS's own.
    """
    asked = {name: description.raw[name] for name in list_members("CreateTrainingJob") if description.raw.get(name)}
    own = [{"Key": key, "Value": value} for key, value in tags.items() if not key.startswith("aws:")]
    return {**asked, **({"Tags": own} if own else {})}


def change_request(
    request: Mapping[str, Any],
    *,
    name: str,
    instance_type: str | None,
    spot: bool,
    chains_tags: bool,
    environment: Mapping[str, str | None],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """The same job under another name, elsewhere.

    Args:
        request: Of the other job.
        name: Of this one.
        instance_type: None for the other's; where it has groups of instances, these stay as they are.
        spot: Whether it may stay on spot capacity, if the other is there.
        chains_tags: Whether session tags are chained, of which DescribeTrainingJob does not tell.
        environment: Variables that it has besides; those that are None it has not.
        tags: Tags that it has besides.
    """
    variables = {**request.get("Environment", {}), **environment}
    kept = {key: value for key, value in request.items() if spot or key != "EnableManagedSpotTraining"}
    stopping = dict(request.get("StoppingCondition", {}))
    if not spot:
        stopping.pop("MaxWaitTimeInSeconds", None)
    resources = dict(request["ResourceConfig"])
    if instance_type is not None and "InstanceType" in resources:
        resources["InstanceType"] = instance_type
    all_tags = {**{each["Key"]: each["Value"] for each in request.get("Tags", ())}, **tags}
    return {
        **kept,
        **({"SessionChainingConfig": {"EnableSessionTagChaining": True}} if chains_tags else {}),
        "TrainingJobName": name,
        "ResourceConfig": resources,
        "StoppingCondition": stopping,
        "Environment": {key: value for key, value in variables.items() if value is not None},
        "Tags": [{"Key": key, "Value": value} for key, value in all_tags.items()],
    }
