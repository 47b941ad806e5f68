"""Refuses a local job that asks for GPUs which this machine has not got, before anything of it is uploaded."""

from __future__ import annotations

from collections.abc import Callable

from sm_remote.aws.local_service import find_service
from sm_remote.catalogue import InstanceType, find_instance_type, suggest_cpu_type
from sm_remote.errors import ConfigError
from sm_remote.jobs.connection import Connection
from sm_remote.settings import ResolvedSettings


def check_gpus(settings: ResolvedSettings, connection: Connection) -> None:
    """Asks the local service what this machine has, if a local job's instance type has GPUs.

    Raises:
        ConfigError: It has none of them.
    """
    if settings.target == "local":
        refuse_missing_gpus(settings, lambda: _may_have_gpus(connection))


def refuse_missing_gpus(settings: ResolvedSettings, has_gpus: Callable[[], bool]) -> None:
    """Decides by what the machine has, which is asked for at the first type with GPUs.

    Raises:
        ConfigError: A type has GPUs or other accelerators, and the machine has none.
    """
    for name, _ in settings.machines:
        wanted = find_instance_type(name)
        if wanted.accelerator_count and not (wanted.is_gpu and has_gpus()):
            raise ConfigError(
                _describe_lack(wanted, whole_host=settings.whole_host),
                why='With target="local" a job runs on this machine. Nothing was uploaded.',
                fix=_propose(wanted, settings),
            )


def _describe_lack(wanted: InstanceType, *, whole_host: bool) -> str:
    if whole_host:
        return 'instance_type="local_gpu" needs a GPU, and this machine has no NVIDIA GPU.'
    kind = "NVIDIA GPU" if wanted.is_gpu else wanted.accelerator
    return f"{wanted.name} has {wanted.accelerator_count} x {wanted.accelerator}, and this machine has no {kind}."


def _propose(wanted: InstanceType, settings: ResolvedSettings) -> str:
    if settings.whole_host:
        return (
            'Use instance_type="local" for all CPUs of this machine, or run it on AWS: target="sagemaker" with a GPU '
            'type such as instance_type="ml.g5.xlarge".'
        )
    further = [find_instance_type(name) for name in settings.further_instance_types]
    cpu = next((each.name for each in further if not each.accelerator_count), suggest_cpu_type(wanted.name))
    return f'Use a CPU type here, such as instance_type="{cpu}", or run it on AWS: target="sagemaker".'


def _may_have_gpus(connection: Connection) -> bool:
    """What the service says; one that does not answer is started at CreateTrainingJob, and says it then."""
    found = find_service(connection.home)
    return found is None or found[1]["HostGpus"] > 0
