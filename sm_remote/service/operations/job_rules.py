"""What the members of a CreateTrainingJob request have to do with each other, as one table.

The model (`api.model`) has the limits of each member alone. All rules that are broken are told at once. Nothing here
asks this machine or a bucket: that is `jobs.requests`. What is about channels is in `channel_rules`.

Source: API_CreateTrainingJob and the shapes below it. The sentences about MaxWaitTimeInSeconds are SageMaker's as far
as they were seen; the others are ours, in the service's style. docs/local-service.md says which is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sm_remote.catalogue import InstanceType, find_instance_type
from sm_remote.service.api.rules import Node, Rule, find_broken, repeated
from sm_remote.service.metrics.definitions import find_bad_regex
from sm_remote.service.operations.channel_rules import CHANNEL_RULES, is_no_uri

MAX_RUNTIME_S = 28 * 86400
"""Source: API_StoppingCondition, "The maximum value is 28 days"."""
DEFAULT_MAX_RUNTIME_S = 86400
_PROFILING_INTERVALS_MS = (100, 200, 500, 1000, 5000, 60000)
"""Source: API_ProfilerConfig, ProfilingIntervalInMilliseconds."""
_NOT_SERVERLESS = (
    "AlgorithmSpecification",
    "EnableManagedSpotTraining",
    "Environment",
    "RetryStrategy",
    "CheckpointConfig",
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "ExperimentConfig",
    "ProfilerConfig",
    "ProfilerRuleConfigurations",
    "TensorBoardOutputConfig",
)
_NOT_NULL = "Member must not be null"
_AT_LEAST_1 = "Member must have value greater than or equal to 1"
_SYSTEM_TAG = "aws:"
_RESERVED_PATHS = ("/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/code", "/opt/ml/sagemaker")


def _is_serverless(node: Node) -> bool:
    return node["ServerlessJobConfig"] is not None


def _is_spot(node: Node) -> bool:
    return bool(node.of_job("EnableManagedSpotTraining"))


def _has_instances(node: Node) -> bool:
    """Whether a job names its instances at all, so that only their number is to be judged."""
    resources = node["ResourceConfig"]
    return resources is not None and not (resources.get("InstanceGroups") or resources.get("InstancePreferences"))


def _instance_types(node: Node) -> list[InstanceType]:
    resources = node["ResourceConfig"] or {}
    groups = (*(resources.get("InstanceGroups") or ()), *(resources.get("InstancePreferences") or ()))
    names = [resources.get("InstanceType"), *(group.get("InstanceType") for group in groups if group is not None)]
    found = []
    for name in names:
        try:
            found.append(find_instance_type(name or ""))
        except KeyError:
            continue
    return found


def _wait_is_too_short(node: Node) -> bool:
    wait = node["StoppingCondition.MaxWaitTimeInSeconds"]
    runtime = node["StoppingCondition.MaxRuntimeInSeconds"] or DEFAULT_MAX_RUNTIME_S
    return _is_spot(node) and node["StoppingCondition"] is not None and (wait is None or wait < runtime)


def _is_bad_regex(definition: Node) -> bool:
    name, regex = definition["Name"], definition["Regex"]
    return name is not None and regex is not None and find_bad_regex([(name, regex)]) is not None


def _has_nul(path: str) -> Callable[[Node], bool]:
    def has_nul(node: Node) -> bool:
        found = node[path] or ()
        words = (*found, *found.values()) if isinstance(found, Mapping) else found
        return any("\0" in word for word in words if word is not None)

    return has_nul


def _is_unusable_path(path: str) -> Callable[[Node], bool]:
    """Whether something of ours, or the image's system, would be hidden below a local path."""

    def is_unusable(node: Node) -> bool:
        given = node[path]
        if given is None:
            return False
        plain = re.sub(r"/+", "/", given).rstrip("/")
        if not plain.startswith("/") or {"..", "."} & set(plain.split("/")) or "\0" in plain:
            return True
        return any(f"{plain}/".startswith(f"{each}/") or f"{each}/".startswith(f"{plain}/") for each in _RESERVED_PATHS)

    return is_unusable


def _is_missing(member: str) -> Callable[[Node], bool]:
    return lambda job: not _is_serverless(job) and job[member] is None


def _is_not_for_serverless(member: str) -> Callable[[Node], bool]:
    return lambda job: _is_serverless(job) and job.has(member)


_NORMAL_JOBS = tuple(
    Rule(member, _is_missing(member), _NOT_NULL)
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition")
)
_SERVERLESS_JOBS = tuple(
    Rule(member, _is_not_for_serverless(member), "Member must be null when ServerlessJobConfig is given")
    for member in _NOT_SERVERLESS
)
_ALGORITHM = (
    Rule(
        "AlgorithmSpecification.TrainingImage",
        lambda job: (
            job["AlgorithmSpecification"] is not None
            and (job["AlgorithmSpecification.TrainingImage"] is None)
            == (job["AlgorithmSpecification.AlgorithmName"] is None)
        ),
        "Exactly one of TrainingImage and AlgorithmName must be given",
    ),
    Rule(
        "Regex",
        _is_bad_regex,
        "Member must be a valid regular expression with a group that captures the value",
        each="AlgorithmSpecification.MetricDefinitions",
    ),
    Rule(
        "AlgorithmSpecification.ContainerEntrypoint",
        _has_nul("AlgorithmSpecification.ContainerEntrypoint"),
        "Member must not hold a NUL character",
    ),
    Rule(
        "AlgorithmSpecification.ContainerArguments",
        _has_nul("AlgorithmSpecification.ContainerArguments"),
        "Member must not hold a NUL character",
    ),
    Rule("Environment", _has_nul("Environment"), "Member must not hold a NUL character"),
    Rule(
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode",
        lambda job: (
            job["AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode"] == "Vpc"
            and job["VpcConfig"] is None
        ),
        "VpcConfig must be given when TrainingRepositoryAccessMode is Vpc",
    ),
    Rule(
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig",
        lambda job: (
            job.has("AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig")
            and job["AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode"] != "Vpc"
        ),
        "Member is only supported when TrainingRepositoryAccessMode is Vpc",
    ),
)
_RESOURCES = (
    Rule(
        "ResourceConfig.InstanceType",
        lambda job: _has_instances(job) and job["ResourceConfig.InstanceType"] is None,
        _NOT_NULL,
    ),
    Rule(
        "ResourceConfig.InstanceCount",
        lambda job: _has_instances(job) and job["ResourceConfig.InstanceCount"] is None,
        _NOT_NULL,
    ),
    Rule("ResourceConfig.InstanceCount", lambda job: job["ResourceConfig.InstanceCount"] == 0, _AT_LEAST_1),
    Rule(
        "ResourceConfig.InstanceGroups",
        lambda job: (
            job.has("ResourceConfig.InstanceGroups")
            and (job.has("ResourceConfig.InstanceType") or job.has("ResourceConfig.InstanceCount"))
        ),
        "Either InstanceGroups, or InstanceType and InstanceCount, must be given",
    ),
    Rule("InstanceCount", lambda group: group["InstanceCount"] == 0, _AT_LEAST_1, each="ResourceConfig.InstanceGroups"),
    Rule(
        "InstanceGroupName",
        repeated("ResourceConfig.InstanceGroups", "InstanceGroupName"),
        "Instance group names must be unique within a training job",
        each="ResourceConfig.InstanceGroups",
    ),
    Rule(
        "ResourceConfig.InstancePreferences",
        lambda job: (
            job.has("ResourceConfig.InstancePreferences")
            and (
                _is_spot(job)
                or any(
                    job.has(f"ResourceConfig.{member}")
                    for member in ("InstanceType", "InstanceGroups", "InstancePlacementConfig")
                )
            )
        ),
        "Member is mutually exclusive with InstanceType, InstanceGroups, InstancePlacementConfig and "
        "EnableManagedSpotTraining",
    ),
    Rule(
        "InstanceCount",
        lambda preference: not (preference.has("InstanceCount") or preference.of_job("ResourceConfig.InstanceCount")),
        "Member must not be null or 0 where ResourceConfig has no InstanceCount",
        each="ResourceConfig.InstancePreferences",
    ),
    Rule(
        "ResourceConfig.SelectedInstanceType",
        lambda job: job.has("ResourceConfig.SelectedInstanceType"),
        "Member is read-only",
    ),
    Rule(
        "ResourceConfig.SelectedInstanceCount",
        lambda job: job["ResourceConfig.SelectedInstanceCount"] is not None,
        "Member is read-only",
    ),
    Rule(
        "ResourceConfig.VolumeSizeInGB",
        lambda job: (
            job["ResourceConfig.VolumeSizeInGB"] is None
            and any(each.is_known and not each.has_instance_storage for each in _instance_types(job))
        ),
        "Member must not be null for instance types without instance storage",
    ),
    Rule("ResourceConfig.VolumeSizeInGB", lambda job: job["ResourceConfig.VolumeSizeInGB"] == 0, _AT_LEAST_1),
    Rule(
        "ResourceConfig.VolumeKmsKeyId",
        lambda job: (
            job.has("ResourceConfig.VolumeKmsKeyId") and any(each.has_instance_storage for each in _instance_types(job))
        ),
        "Member must be null for instance types with local storage",
    ),
    Rule(
        "ResourceConfig.KeepAlivePeriodInSeconds",
        lambda job: job.has("ResourceConfig.KeepAlivePeriodInSeconds") and _is_spot(job),
        "Member is not supported when EnableManagedSpotTraining is set to true",
    ),
    Rule(
        "ResourceConfig.KeepAlivePeriodInSeconds",
        lambda job: job.has("ResourceConfig.KeepAlivePeriodInSeconds") and job.has("ResourceConfig.InstanceGroups"),
        "Member is not supported with InstanceGroups",
    ),
)
_STOPPING = (
    Rule(
        "StoppingCondition.MaxRuntimeInSeconds",
        lambda job: (job["StoppingCondition.MaxRuntimeInSeconds"] or 0) > MAX_RUNTIME_S,
        f"Member must have value less than or equal to {MAX_RUNTIME_S}",
    ),
    Rule(
        "StoppingCondition.MaxWaitTimeInSeconds",
        lambda job: job.has("StoppingCondition.MaxWaitTimeInSeconds") and not _is_spot(job),
        sentence="Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
    ),
    Rule(
        "StoppingCondition.MaxWaitTimeInSeconds",
        _wait_is_too_short,
        sentence="Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds",
    ),
)
_OUTPUT = (
    Rule(
        "OutputDataConfig.S3OutputPath",
        is_no_uri("OutputDataConfig.S3OutputPath"),
        "Member must be the S3 URI of a prefix",
    ),
    Rule("CheckpointConfig.S3Uri", is_no_uri("CheckpointConfig.S3Uri"), "Member must be the S3 URI of a prefix"),
    Rule(
        "CheckpointConfig.LocalPath",
        _is_unusable_path("CheckpointConfig.LocalPath"),
        "Member must be an absolute path that hides nothing of the container's",
    ),
)
_TAGS = (
    Rule("Key", repeated("Tags", "Key"), "Tag keys must be unique", each="Tags"),
    Rule(
        "Key",
        lambda tag: str(tag["Key"]).lower().startswith(_SYSTEM_TAG),
        "System tags cannot be added or updated by requester",
        each="Tags",
    ),
)
_DEBUGGER = (
    Rule(
        "ProfilerConfig.ProfilingIntervalInMilliseconds",
        lambda job: job["ProfilerConfig.ProfilingIntervalInMilliseconds"] not in (None, *_PROFILING_INTERVALS_MS),
        f"Member must satisfy enum value set: {list(_PROFILING_INTERVALS_MS)}",
    ),
    Rule(
        "ProfilerConfig.S3OutputPath",
        lambda job: (
            job["ProfilerConfig"] is not None
            and job["ProfilerConfig.S3OutputPath"] is None
            and not job.has("ProfilerConfig.DisableProfiler")
        ),
        _NOT_NULL,
    ),
    *(
        Rule(
            "RuleConfigurationName",
            repeated(each, "RuleConfigurationName"),
            "Rule configuration names must be unique",
            each=each,
        )
        for each in ("DebugRuleConfigurations", "ProfilerRuleConfigurations")
    ),
)

RULES: tuple[Rule, ...] = (
    *_NORMAL_JOBS,
    *_SERVERLESS_JOBS,
    *_ALGORITHM,
    *_RESOURCES,
    *_STOPPING,
    *CHANNEL_RULES,
    *_OUTPUT,
    *_TAGS,
    *_DEBUGGER,
)
"""Every rule, in the order in which what is broken is told."""


def find_broken_rules(request: Mapping[str, Any]) -> list[str]:
    """Says of every rule that a CreateTrainingJob request breaks what is wrong; any member may be missing."""
    return find_broken(RULES, request)


def find_broken_tag_rules(request: Mapping[str, Any]) -> list[str]:
    """The same for what a request says of tags alone: AddTags."""
    return find_broken(_TAGS, request)
