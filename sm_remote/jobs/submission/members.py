"""What a call's settings say of a training job beside its function: machines, network, keys, observation. Pure."""

from __future__ import annotations

import dataclasses

from sm_remote.settings import ResolvedSettings
from sm_remote.spec import InstanceGroup, Observation, PrivateRegistry, Resources, TrainingJobSpec, Vpc


def choose_resources(settings: ResolvedSettings) -> Resources:
    """The machines that the settings ask for."""
    groups = tuple(
        InstanceGroup(
            name=group["InstanceGroupName"],
            instance_type=group["InstanceType"],
            instance_count=group["InstanceCount"],
        )
        for group in settings.instance_groups
    )
    return Resources(
        instance_type=settings.instance_type,
        instance_count=settings.instance_count,
        volume_size_gb=settings.volume_size,
        keep_alive_period_s=settings.keep_alive_period_in_seconds or None,
        groups=groups,
        volume_kms_key=settings.volume_kms_key,
        training_plan_arn=settings.training_plan_arn,
    )


def add_members(spec: TrainingJobSpec, settings: ResolvedSettings) -> TrainingJobSpec:
    """The same job with its network, keys, retries and observation, and what `extra_request` says last."""
    vpc = Vpc(subnets=settings.subnets, security_group_ids=settings.security_group_ids) if settings.subnets else None
    registry = PrivateRegistry(credentials_provider_arn=settings.training_repository_credentials_provider_arn)
    return dataclasses.replace(
        spec,
        vpc=vpc,
        private_registry=registry if settings.training_repository_access_mode == "Vpc" else None,
        encrypt_traffic=settings.encrypt_inter_container_traffic,
        compress_output=not settings.disable_output_compression,
        output_kms_key=settings.s3_kms_key,
        max_retries=settings.max_retry_attempts,
        max_pending_s=settings.max_pending_time_in_seconds,
        session_tag_chaining=settings.enable_session_tag_chaining,
        observation=_choose_observation(settings),
        extra=settings.extra_request,
    )


def describe_unused(settings: ResolvedSettings) -> list[str]:
    """What a call has set that does nothing where it runs; what the job's own log says of its request is not here."""
    lines = []
    if settings.target == "local" and settings.sagemaker_session is not None:
        lines.append("sagemaker_session is not used: jobs on this machine need no credentials")
    return lines


def _choose_observation(settings: ResolvedSettings) -> Observation:
    return Observation(
        remote_debug=settings.enable_remote_debug,
        infra_check=settings.enable_infra_check,
        metrics_time_series=settings.enable_sagemaker_metrics,
        experiment=settings.experiment_config,
        profiler=settings.profiler_config,
        debugger_hook=settings.debugger_hook_config,
        tensorboard=settings.tensorboard_output_config,
    )
