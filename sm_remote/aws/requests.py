"""Builds CreateTrainingJob requests: a `TrainingJobSpec` in, the API's own spelling out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.aws.channels import build_channel
from sm_remote.spec import Observation, Resources, TrainingJobSpec


def build_create_training_job(spec: TrainingJobSpec) -> dict[str, Any]:
    """Spells a training job as the API wants it; members that have no value are left out.

    Source: API_CreateTrainingJob.
    """
    request: dict[str, Any] = {
        "TrainingJobName": spec.name,
        "RoleArn": spec.role_arn,
        "AlgorithmSpecification": _build_algorithm(spec),
        "OutputDataConfig": _build_output(spec),
        "ResourceConfig": build_resources(spec.resources),
        "StoppingCondition": _build_stopping(spec),
        "EnableNetworkIsolation": spec.network_isolation,
        **_build_switches(spec),
        **_build_observation(spec.observation),
    }
    if spec.checkpoints is not None:
        request["CheckpointConfig"] = {"S3Uri": spec.checkpoints.s3_uri, "LocalPath": spec.checkpoints.local_path}
    if spec.vpc is not None:
        request["VpcConfig"] = {
            "SecurityGroupIds": list(spec.vpc.security_group_ids),
            "Subnets": list(spec.vpc.subnets),
        }
    if spec.channels:
        request["InputDataConfig"] = [build_channel(channel) for channel in spec.channels]
    if spec.hyperparameters:
        request["HyperParameters"] = dict(spec.hyperparameters)
    if spec.environment:
        request["Environment"] = dict(spec.environment)
    if spec.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in spec.tags]
    return merge(request, spec.extra)


def merge(request: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """What `extra` makes of a request: tables are merged, lists and texts replaced, and None takes a member away.

    Channels are no list in this sense, since they have names: one that is there is merged into, others are added.
    Source: RFC 7396, JSON Merge Patch, but for the channels.
    """
    merged = dict(request)
    for name, value in extra.items():
        present = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif name == "InputDataConfig" and present:
            merged[name] = _merge_channels(present, value)
        elif isinstance(value, Mapping):
            merged[name] = merge(present if isinstance(present, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def _merge_channels(present: list[dict[str, Any]], added: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    channels = {channel["ChannelName"]: channel for channel in present}
    for channel in added:
        channels[channel["ChannelName"]] = merge(channels.get(channel["ChannelName"], {}), channel)
    return list(channels.values())


def _build_algorithm(spec: TrainingJobSpec) -> dict[str, Any]:
    algorithm: dict[str, Any] = {"TrainingImage": spec.image_uri, "TrainingInputMode": "File"}
    if spec.entrypoint:
        algorithm["ContainerEntrypoint"] = list(spec.entrypoint)
    if spec.arguments:
        algorithm["ContainerArguments"] = list(spec.arguments)
    if spec.metric_definitions:
        algorithm["MetricDefinitions"] = [
            {"Name": metric.name, "Regex": metric.regex} for metric in spec.metric_definitions
        ]
    if spec.observation.metrics_time_series:
        algorithm["EnableSageMakerMetricsTimeSeries"] = True
    if spec.private_registry is not None:
        registry: dict[str, Any] = {"TrainingRepositoryAccessMode": "Vpc"}
        if spec.private_registry.credentials_provider_arn is not None:
            registry["TrainingRepositoryAuthConfig"] = {
                "TrainingRepositoryCredentialsProviderArn": spec.private_registry.credentials_provider_arn
            }
        algorithm["TrainingImageConfig"] = registry
    return algorithm


def _build_output(spec: TrainingJobSpec) -> dict[str, Any]:
    output = {"S3OutputPath": spec.output_uri, "CompressionType": "GZIP" if spec.compress_output else "NONE"}
    if spec.output_kms_key is not None:
        output["KmsKeyId"] = spec.output_kms_key
    return output


def build_resources(resources: Resources) -> dict[str, Any]:
    """Spells the machines of a job. Source: API_ResourceConfig."""
    built: dict[str, Any] = {
        "InstanceType": resources.instance_type,
        "InstanceCount": resources.instance_count,
        "VolumeSizeInGB": resources.volume_size_gb,
    }
    if resources.groups:
        del built["InstanceType"], built["InstanceCount"]
        built["InstanceGroups"] = [
            {
                "InstanceGroupName": group.name,
                "InstanceType": group.instance_type,
                "InstanceCount": group.instance_count,
            }
            for group in resources.groups
        ]
    if resources.keep_alive_period_s is not None:
        built["KeepAlivePeriodInSeconds"] = resources.keep_alive_period_s
    if resources.volume_kms_key is not None:
        built["VolumeKmsKeyId"] = resources.volume_kms_key
    if resources.training_plan_arn is not None:
        built["TrainingPlanArn"] = resources.training_plan_arn
    return built


def _build_stopping(spec: TrainingJobSpec) -> dict[str, Any]:
    stopping = {"MaxRuntimeInSeconds": spec.max_runtime_s}
    if spec.spot is not None:
        stopping["MaxWaitTimeInSeconds"] = spec.spot.max_wait_s
    if spec.max_pending_s is not None:
        stopping["MaxPendingTimeInSeconds"] = spec.max_pending_s
    return stopping


def _build_switches(spec: TrainingJobSpec) -> dict[str, Any]:
    switches: dict[str, Any] = {}
    if spec.spot is not None:
        switches["EnableManagedSpotTraining"] = True
    if spec.encrypt_traffic:
        switches["EnableInterContainerTrafficEncryption"] = True
    if spec.max_retries:
        switches["RetryStrategy"] = {"MaximumRetryAttempts": spec.max_retries}
    if spec.session_tag_chaining:
        switches["SessionChainingConfig"] = {"EnableSessionTagChaining": True}
    return switches


def _build_observation(observation: Observation) -> dict[str, Any]:
    built: dict[str, Any] = {}
    if observation.remote_debug:
        built["RemoteDebugConfig"] = {"EnableRemoteDebug": True}
    if observation.infra_check:
        built["InfraCheckConfig"] = {"EnableInfraCheck": True}
    structures = {
        "ExperimentConfig": observation.experiment,
        "ProfilerConfig": observation.profiler,
        "DebugHookConfig": observation.debugger_hook,
        "TensorBoardOutputConfig": observation.tensorboard,
    }
    return {**built, **{member: dict(value) for member, value in structures.items() if value}}
