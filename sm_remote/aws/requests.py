"""Builds CreateTrainingJob requests: a `TrainingJobSpec` in, the API's own spelling out. Pure."""

from __future__ import annotations

from typing import Any

from sm_remote.spec import Channel, TrainingJobSpec


def build_create_training_job(spec: TrainingJobSpec) -> dict[str, Any]:
    """Spells a training job as the API wants it; members that have no value are left out.

    Source: API_CreateTrainingJob.
    """
    request: dict[str, Any] = {
        "TrainingJobName": spec.name,
        "RoleArn": spec.role_arn,
        "AlgorithmSpecification": _build_algorithm(spec),
        "OutputDataConfig": {
            "S3OutputPath": spec.output_uri,
            "CompressionType": "GZIP" if spec.compress_output else "NONE",
        },
        "ResourceConfig": _build_resources(spec),
        "StoppingCondition": {"MaxRuntimeInSeconds": spec.max_runtime_s},
        "EnableNetworkIsolation": spec.network_isolation,
    }
    if spec.spot is not None:
        request["EnableManagedSpotTraining"] = True
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = spec.spot.max_wait_s
    if spec.checkpoints is not None:
        request["CheckpointConfig"] = {"S3Uri": spec.checkpoints.s3_uri, "LocalPath": spec.checkpoints.local_path}
    if spec.channels:
        request["InputDataConfig"] = [_build_channel(channel) for channel in spec.channels]
    if spec.hyperparameters:
        request["HyperParameters"] = dict(spec.hyperparameters)
    if spec.environment:
        request["Environment"] = dict(spec.environment)
    if spec.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in spec.tags]
    return request


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
    return algorithm


def _build_resources(spec: TrainingJobSpec) -> dict[str, Any]:
    resources = spec.resources
    built: dict[str, Any] = {
        "InstanceType": resources.instance_type,
        "InstanceCount": resources.instance_count,
        "VolumeSizeInGB": resources.volume_size_gb,
    }
    if resources.keep_alive_period_s is not None:
        built["KeepAlivePeriodInSeconds"] = resources.keep_alive_period_s
    return built


def _build_channel(channel: Channel) -> dict[str, Any]:
    built: dict[str, Any] = {
        "ChannelName": channel.name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": channel.s3_data_type,
                "S3Uri": channel.s3_uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }
    if channel.content_type is not None:
        built["ContentType"] = channel.content_type
    return built
