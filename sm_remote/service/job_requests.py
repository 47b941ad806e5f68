"""What CreateTrainingJob is refused for, beyond the model's limits: what AWS refuses too, and what is not served here.

Source of the texts: SageMaker's, where they have been seen; those about this machine are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.catalogue import InstanceType, find_instance_type, suggest_cpu_type
from sm_remote.service.api_errors import invalid, violated
from sm_remote.service.buckets import Buckets
from sm_remote.service.capacity import Capacity
from sm_remote.service.channels import find_layer
from sm_remote.service.metrics import find_bad_regex
from sm_remote.service.objects import ObjectError, parse_uri

_REQUIRED = (
    ("AlgorithmSpecification", "algorithmSpecification"),
    ("ResourceConfig", "resourceConfig"),
    ("StoppingCondition", "stoppingCondition"),
)
_UNSERVED = ("ServerlessJobConfig", "CheckpointConfig", "MlflowConfig", "ModelPackageConfig")


def check_job_request(request: Mapping[str, Any], host: Capacity, buckets: Buckets) -> None:
    """Refuses a request that this service cannot carry out.

    Raises:
        ApiError: ``ValidationException``.
    """
    _check_members(request)
    _check_algorithm(request["AlgorithmSpecification"])
    if any("\0" in value for value in request.get("Environment", {}).values()):
        raise invalid("Environment cannot hold a NUL character.")
    _check_resources(request["ResourceConfig"], host)
    _check_spot(request)
    _check_output(request["OutputDataConfig"])
    _check_tags(request.get("Tags", ()))
    _check_channels(request, buckets)


def _check_members(request: Mapping[str, Any]) -> None:
    for member in _UNSERVED:
        if request.get(member) is not None:
            raise invalid(f"The local training service does not implement {member}.")
    missing = [path for member, path in _REQUIRED if request.get(member) is None]
    if missing:
        raise violated(
            [f"Value null at '{path}' failed to satisfy constraint: Member must not be null" for path in missing]
        )


def _check_algorithm(algorithm: Mapping[str, Any]) -> None:
    if (algorithm.get("TrainingImage") is None) == (algorithm.get("AlgorithmName") is None):
        raise invalid("Exactly one of TrainingImage and AlgorithmName must be given in AlgorithmSpecification.")
    if algorithm.get("AlgorithmName") is not None:
        raise invalid("The local training service knows no AlgorithmName: give a TrainingImage.")
    words = (*algorithm.get("ContainerEntrypoint", ()), *algorithm.get("ContainerArguments", ()))
    if any("\0" in word for word in words):
        raise invalid("ContainerEntrypoint and ContainerArguments cannot hold a NUL character.")
    definitions = [(each["Name"], each["Regex"]) for each in algorithm.get("MetricDefinitions", ())]
    problem = find_bad_regex(definitions)
    if problem:
        raise invalid(problem)


def _check_resources(resources: Mapping[str, Any], host: Capacity) -> None:
    for member in ("InstanceGroups", "TrainingPlanArn", "InstancePreferences"):
        if resources.get(member):
            raise invalid(f"The local training service does not implement ResourceConfig.{member}.")
    if resources.get("InstanceType") is None or resources.get("InstanceCount") is None:
        raise invalid("ResourceConfig must have InstanceType and InstanceCount.")
    if resources["InstanceCount"] != 1:
        raise invalid(
            f"The local training service runs a training job on one instance; InstanceCount is "
            f"{resources['InstanceCount']}."
        )
    instance = _find_instance(resources["InstanceType"])
    if instance.accelerator_count and (not instance.is_gpu or not host.gpus):
        raise invalid(
            f"{instance.name} has {instance.accelerator_count} x {instance.accelerator}, and this machine has none. "
            f"Use a CPU instance type such as {suggest_cpu_type(instance.name)}, or run the job on AWS."
        )


def _find_instance(name: str) -> InstanceType:
    try:
        return find_instance_type(name)
    except KeyError:
        raise invalid(f"The local training service does not know how large {name} is.") from None


def _check_spot(request: Mapping[str, Any]) -> None:
    stopping = request["StoppingCondition"]
    wait = stopping.get("MaxWaitTimeInSeconds")
    spot = request.get("EnableManagedSpotTraining", False)
    if wait is not None and not spot:
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
        )
    if spot and (wait is None or wait < stopping.get("MaxRuntimeInSeconds", 86400)):
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if spot and request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        raise invalid("KeepAlivePeriodInSeconds is not supported when EnableManagedSpotTraining is set to true")


def _check_output(output: Mapping[str, Any]) -> None:
    try:
        parse_uri(output["S3OutputPath"])
    except ValueError as error:
        raise invalid(f"Invalid S3OutputPath. {error}") from None


def _check_tags(tags: Any) -> None:
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise invalid("Tag keys must be unique.")


def _check_channels(request: Mapping[str, Any], buckets: Buckets) -> None:
    channels = request.get("InputDataConfig", ())
    names = [channel["ChannelName"] for channel in channels]
    if len(set(names)) != len(names):
        raise invalid("Channel names must be unique within a training job.")
    default_mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    for channel in channels:
        if channel["ChannelName"] in (".", ".."):
            raise invalid(f"{channel['ChannelName']} cannot be the name of a channel.")
        if channel.get("InputMode", default_mode) == "Pipe":
            raise invalid(
                f"The local training service does not implement Pipe mode (channel {channel['ChannelName']})."
            )
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            raise invalid(f"The local training service reads channels from S3 only (channel {channel['ChannelName']}).")
        _check_source(source, buckets, request["RoleArn"])


def _check_source(source: Mapping[str, Any], buckets: Buckets, role: str) -> None:
    """An input that is not there is refused at once, as SageMaker does, and not when the job is about to run."""
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise invalid(f"The local training service does not implement S3DataType {source['S3DataType']}.")
    try:
        uri = parse_uri(source["S3Uri"])
        if find_layer(source, buckets) is not None or any(True for _ in buckets.find(uri).list_keys(uri.key)):
            return
    except (ValueError, ObjectError) as error:
        raise invalid(f"Invalid S3Uri {source['S3Uri']}: {error}") from None
    raise invalid(
        f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that the '
        f"bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the role "
        f'"{role}" has "s3:ListBucket" permissions on bucket "{uri.bucket}".'
    )
