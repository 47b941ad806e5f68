"""What a call's settings give its job as data, and what of it needs more than the channel itself. Pure."""

from __future__ import annotations

from sm_remote.capture.inputs import InputsRequest
from sm_remote.errors import ConfigError
from sm_remote.settings import ResolvedSettings
from sm_remote.spec import TrainingJobSpec


def describe_inputs(settings: ResolvedSettings) -> InputsRequest:
    """The channels that the settings ask for."""
    return InputsRequest(
        values=settings.inputs, limit_bytes=settings.inputs_limit_bytes, shows_progress=settings.stream_logs
    )


def check_file_systems(spec: TrainingJobSpec) -> None:
    """Refuses a file system that the job's machines could not reach.

    Source: API_FileSystemDataSource; Developer Guide, "Access Training Data".

    Raises:
        ConfigError: The job is in no VPC.
    """
    mounted = [channel.name for channel in spec.channels if channel.file_system is not None]
    if mounted and spec.vpc is None:
        raise ConfigError(
            f"The channel {mounted[0]!r} is a file system, and the job is in no VPC; nothing was sent.",
            why="EFS and FSx for Lustre are reached from within the VPC that they are in.",
            fix="Name its subnets and a security group that may mount it: subnets=['subnet-...'], "
            "security_group_ids=['sg-...'].",
            channel=mounted[0],
        )
