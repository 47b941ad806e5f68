"""What a training job was asked to be, read back from what the API says of it. Pure; the way back of `aws.requests`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.aws.channels import read_channel
from sm_remote.aws.requests import build_resources
from sm_remote.spec import (
    Checkpoints,
    InstanceGroup,
    MetricDefinition,
    Observation,
    PrivateRegistry,
    Resources,
    Spot,
    TrainingJobSpec,
    Vpc,
)

_BY_EXTRA_REQUEST = ("DebugRuleConfigurations", "ProfilerRuleConfigurations", "MlflowConfig", "ModelPackageConfig")
_READ_ONLY = frozenset({"SelectedInstanceType", "SelectedInstanceCount"})


def read_spec(raw: Mapping[str, Any], tags: Mapping[str, str]) -> TrainingJobSpec:
    """Reads an answer of DescribeTrainingJob, which has the members of the request but its tags.

    Source: API_DescribeTrainingJob. It does not say whether session tags are chained.

    Args:
        raw: The answer.
        tags: Of the job.
    """
    algorithm, output = raw["AlgorithmSpecification"], raw["OutputDataConfig"]
    stopping = raw.get("StoppingCondition") or {}
    resources = _read_resources(raw["ResourceConfig"])
    return TrainingJobSpec(
        name=raw["TrainingJobName"],
        role_arn=raw["RoleArn"],
        image_uri=algorithm["TrainingImage"],
        output_uri=output["S3OutputPath"].rstrip("/"),
        resources=resources,
        entrypoint=tuple(algorithm.get("ContainerEntrypoint") or ()),
        arguments=tuple(algorithm.get("ContainerArguments") or ()),
        channels=tuple(read_channel(channel) for channel in raw.get("InputDataConfig") or ()),
        compress_output=output.get("CompressionType", "GZIP") != "NONE",
        output_kms_key=output.get("KmsKeyId") or None,
        max_runtime_s=stopping.get("MaxRuntimeInSeconds", 86400),
        max_pending_s=stopping.get("MaxPendingTimeInSeconds"),
        spot=Spot(max_wait_s=stopping["MaxWaitTimeInSeconds"]) if raw.get("EnableManagedSpotTraining") else None,
        checkpoints=_read_checkpoints(raw.get("CheckpointConfig")),
        environment=dict(raw.get("Environment") or {}),
        hyperparameters=dict(raw.get("HyperParameters") or {}),
        metric_definitions=tuple(
            MetricDefinition(name=metric["Name"], regex=metric["Regex"])
            for metric in algorithm.get("MetricDefinitions") or ()
        ),
        tags=tuple(tags.items()),
        network_isolation=raw.get("EnableNetworkIsolation", False),
        vpc=_read_vpc(raw.get("VpcConfig")),
        encrypt_traffic=raw.get("EnableInterContainerTrafficEncryption", False),
        max_retries=(raw.get("RetryStrategy") or {}).get("MaximumRetryAttempts", 0),
        private_registry=_read_registry(algorithm.get("TrainingImageConfig")),
        observation=_read_observation(raw),
        extra=_read_extra(raw, resources),
    )


def _read_resources(raw: Mapping[str, Any]) -> Resources:
    groups = tuple(
        InstanceGroup(
            name=group["InstanceGroupName"],
            instance_type=group["InstanceType"],
            instance_count=group["InstanceCount"],
        )
        for group in raw.get("InstanceGroups") or ()
    )
    first = [group.instance_type for group in groups] or [each["InstanceType"] for each in _preferences(raw)]
    count = sum(group.instance_count for group in groups) or raw.get("SelectedInstanceCount")
    return Resources(
        instance_type=raw.get("InstanceType") or raw.get("SelectedInstanceType") or first[0],
        instance_count=raw.get("InstanceCount") or count or 1,
        volume_size_gb=raw.get("VolumeSizeInGB") or 30,
        keep_alive_period_s=raw.get("KeepAlivePeriodInSeconds"),
        groups=groups,
        volume_kms_key=raw.get("VolumeKmsKeyId") or None,
        training_plan_arn=raw.get("TrainingPlanArn"),
    )


def _preferences(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(raw.get("InstancePreferences") or ())


def _read_checkpoints(raw: Mapping[str, Any] | None) -> Checkpoints | None:
    if not raw:
        return None
    return Checkpoints(s3_uri=raw["S3Uri"], local_path=raw.get("LocalPath") or "/opt/ml/checkpoints")


def _read_vpc(raw: Mapping[str, Any] | None) -> Vpc | None:
    if not raw:
        return None
    return Vpc(subnets=tuple(raw["Subnets"]), security_group_ids=tuple(raw["SecurityGroupIds"]))


def _read_registry(raw: Mapping[str, Any] | None) -> PrivateRegistry | None:
    if not raw or raw.get("TrainingRepositoryAccessMode") != "Vpc":
        return None
    login = raw.get("TrainingRepositoryAuthConfig") or {}
    return PrivateRegistry(credentials_provider_arn=login.get("TrainingRepositoryCredentialsProviderArn"))


def _read_observation(raw: Mapping[str, Any]) -> Observation:
    algorithm = raw["AlgorithmSpecification"]
    return Observation(
        remote_debug=(raw.get("RemoteDebugConfig") or {}).get("EnableRemoteDebug", False),
        infra_check=(raw.get("InfraCheckConfig") or {}).get("EnableInfraCheck", False),
        metrics_time_series=algorithm.get("EnableSageMakerMetricsTimeSeries", False),
        experiment=dict(raw.get("ExperimentConfig") or {}),
        profiler=dict(raw.get("ProfilerConfig") or {}),
        debugger_hook=dict(raw.get("DebugHookConfig") or {}),
        tensorboard=dict(raw.get("TensorBoardOutputConfig") or {}),
    )


def _read_extra(raw: Mapping[str, Any], resources: Resources) -> dict[str, Any]:
    """What no field of a spec has a word for: `extra_request` said it."""
    extra = {member: raw[member] for member in _BY_EXTRA_REQUEST if raw.get(member)}
    described = {name: value for name, value in raw["ResourceConfig"].items() if name not in _READ_ONLY}
    built = build_resources(resources)
    changed: dict[str, Any] = {name: None for name in built if name not in described}
    changed.update({name: value for name, value in described.items() if built.get(name) != value})
    return {**extra, **({"ResourceConfig": changed} if changed else {})}
