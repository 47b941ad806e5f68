"""Settings that cannot hold together, as one table. What is broken is refused before anything is sent.

Whether one value is accepted its kind says; what an instance type, an image or an account allow is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.catalogue import find_instance_type
from sm_remote.errors import ConfigError
from sm_remote.settings.resolved import ResolvedSettings
from sm_remote.settings.schema import NAMES
from sm_remote.settings.succession_kinds import split_types

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Settings of which not every combination can hold.

    Attributes:
        settings: Their names: a form marks the first of them that it may change.
        is_broken: Whether they cannot hold, as they are.
        what: What is said of them, with ``{name}`` for a setting's value.
        why: The reason, with ``{name}`` for where a setting's value comes from.
        fix: What to do.
    """

    settings: tuple[str, ...]
    is_broken: Callable[[Values], bool]
    what: str
    why: str
    fix: str


def check_combinations(settings: ResolvedSettings) -> None:
    """Refuses settings that cannot hold together in a job.

    Raises:
        ConfigError: The first rule that is broken; its fact ``settings`` names them.
    """
    values = {name: settings.value(name) for name in NAMES}
    origins = {name: settings.origin(name) for name in NAMES}
    for rule in RULES:
        if rule.is_broken(values):
            raise ConfigError(
                rule.what.format_map(values),
                why=rule.why.format_map(origins),
                fix=rule.fix,
                settings=rule.settings,
            )


def _has(*names: str) -> Callable[[Values], bool]:
    """Whether each of these settings is there and is not off."""
    return lambda values: all(values[name] for name in names)


def _has_first_alone(first: str, second: str) -> Callable[[Values], bool]:
    return lambda values: bool(values[first]) and not values[second]


def _waits_too_little(values: Values) -> bool:
    wait_s = values["max_wait_time_in_seconds"]
    return bool(values["use_spot_instances"] and wait_s and wait_s < values["max_runtime_in_seconds"])


def _is_mpirun_of_processes(values: Values) -> bool:
    here = values["target"] == "local" and values["engine"] == "process"
    return bool(here and values["use_mpirun"] and values["instance_count"] > 1)


def _has_no_launcher(values: Values) -> bool:
    return values["nproc_per_node"] is not None and not (values["use_torchrun"] or values["use_mpirun"])


def _names_password_in_vain(values: Values) -> bool:
    has_password = values["training_repository_credentials_provider_arn"] is not None
    return has_password and values["training_repository_access_mode"] != "Vpc"


def _is_private_registry_without_network(values: Values) -> bool:
    return values["training_repository_access_mode"] == "Vpc" and not values["subnets"]


def _encrypts_local_storage(values: Values) -> bool:
    """Source: API_ResourceConfig, VolumeKmsKeyId: not with an instance type that has local storage."""
    if values["volume_kms_key"] is None:
        return False
    named = [group["InstanceType"] for group in values["instance_groups"]] or split_types(values["instance_type"])
    return any(find_instance_type(name).has_instance_storage for name in named if name is not None)


def _wants_larger_groups(values: Values) -> bool:
    return "OutOfMemory" in values["retry_on"] and bool(values["instance_groups"])


def _names_a_variable_twice(values: Values) -> bool:
    return bool(set(values["secrets"]) & set(values["environment_variables"]))


def _reads_secrets_without_network(values: Values) -> bool:
    return bool(values["secrets"] and values["enable_network_isolation"] and values["target"] == "sagemaker")


def _profiles_to_nowhere(values: Values) -> bool:
    profiler = values["profiler_config"]
    return bool(profiler) and not profiler.get("DisableProfiler") and not profiler.get("S3OutputPath")


RULES: tuple[Rule, ...] = (
    Rule(
        settings=("pre_execution_commands", "pre_execution_script"),
        is_broken=_has("pre_execution_commands", "pre_execution_script"),
        what="Both pre_execution_commands and pre_execution_script are set; nothing was sent.",
        why="The commands come from {pre_execution_commands}, the script from {pre_execution_script}, and nothing says "
        "which is to run first.",
        fix="Leave one of them out: put the commands into the script, or call the script from a command.",
    ),
    Rule(  # Source: API_StoppingCondition, MaxWaitTimeInSeconds.
        settings=("max_wait_time_in_seconds", "max_runtime_in_seconds", "use_spot_instances"),
        is_broken=_waits_too_little,
        what="max_wait_time_in_seconds is {max_wait_time_in_seconds}, less than max_runtime_in_seconds, "
        "{max_runtime_in_seconds}; nothing was sent.",
        why="It is the time for the waiting and the running together. The first comes from "
        "{max_wait_time_in_seconds}, the second from {max_runtime_in_seconds}.",
        fix="Raise max_wait_time_in_seconds, lower max_runtime_in_seconds, or leave the first out: then it is 1.5 "
        "times the second.",
    ),
    Rule(  # Source: SageMaker Developer Guide, "Train Using SageMaker Managed Warm Pools": not with spot capacity.
        settings=("keep_alive_period_in_seconds", "use_spot_instances"),
        is_broken=_has("keep_alive_period_in_seconds", "use_spot_instances"),
        what="A job on spot capacity cannot leave a warm pool; nothing was sent.",
        why="SageMaker keeps no instance that Amazon may take back. The one comes from {use_spot_instances}, the other "
        "from {keep_alive_period_in_seconds}.",
        fix="Leave out use_spot_instances, or keep_alive_period_in_seconds.",
    ),
    Rule(  # Source: the same, "Considerations": not with heterogeneous clusters.
        settings=("keep_alive_period_in_seconds", "instance_groups"),
        is_broken=_has("keep_alive_period_in_seconds", "instance_groups"),
        what="A job with instance_groups cannot leave a warm pool; nothing was sent.",
        why="SageMaker keeps machines of one type alone. The groups come from {instance_groups}, the other from "
        "{keep_alive_period_in_seconds}.",
        fix="Leave out keep_alive_period_in_seconds, or name one instance_type.",
    ),
    Rule(
        settings=("use_torchrun", "use_mpirun"),
        is_broken=_has("use_torchrun", "use_mpirun"),
        what="use_torchrun and use_mpirun are both set, and a job's processes have one launcher.",
        why="The first comes from {use_torchrun}, the second from {use_mpirun}.",
        fix="Leave one of them out.",
    ),
    Rule(
        settings=("use_mpirun", "instance_count", "engine"),
        is_broken=_is_mpirun_of_processes,
        what="mpirun cannot run a job of several hosts in the process engine.",
        why="Its hosts are one machine with one network to mpirun, which would run all ranks on the first.",
        fix="Use engine='docker', or instance_count=1 with a higher nproc_per_node.",
    ),
    Rule(
        settings=("nproc_per_node",),
        is_broken=_has_no_launcher,
        what="nproc_per_node is {nproc_per_node}, and nothing starts so many processes.",
        why="It comes from {nproc_per_node}.",
        fix="Add use_torchrun=True or use_mpirun=True, or leave nproc_per_node out.",
    ),
    Rule(  # Source: API_VpcConfig: both are required.
        settings=("subnets", "security_group_ids"),
        is_broken=_has_first_alone("subnets", "security_group_ids"),
        what="subnets are set without security_group_ids; nothing was sent.",
        why="A job in a VPC has both: the subnets, from {subnets}, say where its machines are, the groups what may "
        "reach them.",
        fix="Add security_group_ids=['sg-...'] (`aws ec2 describe-security-groups` lists them), or leave subnets out.",
    ),
    Rule(
        settings=("security_group_ids", "subnets"),
        is_broken=_has_first_alone("security_group_ids", "subnets"),
        what="security_group_ids are set without subnets; nothing was sent.",
        why="A job in a VPC has both: the groups, from {security_group_ids}, say what may reach its machines, the "
        "subnets where these are.",
        fix="Add subnets=['subnet-...'] (`aws ec2 describe-subnets` lists them), or leave security_group_ids out.",
    ),
    Rule(  # Source: API_TrainingImageConfig, TrainingRepositoryAccessMode.
        settings=("training_repository_access_mode", "subnets"),
        is_broken=_is_private_registry_without_network,
        what="training_repository_access_mode is 'Vpc', and the job is in no VPC; nothing was sent.",
        why="The image would come from a registry in your network; the setting comes from "
        "{training_repository_access_mode}.",
        fix="Add subnets and security_group_ids, or leave it out: then the image comes from ECR.",
    ),
    Rule(
        settings=("training_repository_credentials_provider_arn", "training_repository_access_mode"),
        is_broken=_names_password_in_vain,
        what="training_repository_credentials_provider_arn is set, and the image comes from ECR; nothing was sent.",
        why="ECR is asked with the job's role. The setting comes from {training_repository_credentials_provider_arn}.",
        fix="Add training_repository_access_mode='Vpc', or leave it out.",
    ),
    Rule(
        settings=("volume_kms_key", "instance_type"),
        is_broken=_encrypts_local_storage,
        what="volume_kms_key is set, and the instance type has a disk of its own; nothing was sent.",
        why="SageMaker encrypts such a disk by a key of the machine and takes no other. The type comes from "
        "{instance_type}, the key from {volume_kms_key}.",
        fix="Leave volume_kms_key out, or take a type without a disk of its own, such as ml.m5.large.",
    ),
    Rule(
        settings=("retry_on", "instance_groups"),
        is_broken=_wants_larger_groups,
        what="retry_on names OutOfMemory, and the job has instance_groups; nothing was sent.",
        why="It is tried again on the next larger instance type, and nothing says which group's. The one comes from "
        "{retry_on}, the groups from {instance_groups}.",
        fix="Leave OutOfMemory out of retry_on, or name one instance_type.",
    ),
    Rule(
        settings=("secrets", "environment_variables"),
        is_broken=_names_a_variable_twice,
        what="A name is both among secrets and among environment_variables; nothing was sent.",
        why="A job has one variable of a name. The first come from {secrets}, the others from {environment_variables}.",
        fix="Leave it out of one of them.",
    ),
    Rule(
        settings=("secrets", "enable_network_isolation", "target"),
        is_broken=_reads_secrets_without_network,
        what="secrets and enable_network_isolation are both set; nothing was sent.",
        why="On SageMaker a job reads its secrets, from {secrets}, over the network, and this one would have none, by "
        "{enable_network_isolation}.",
        fix="Leave one of them out.",
    ),
    Rule(  # Source: API_ProfilerConfig.
        settings=("profiler_config",),
        is_broken=_profiles_to_nowhere,
        what="profiler_config names no place for what is measured; nothing was sent.",
        why="It comes from {profiler_config}, and has neither S3OutputPath nor DisableProfiler.",
        fix='Add "S3OutputPath": "s3://bucket/prefix".',
    ),
)
"""Every rule, in the order in which what is broken is told."""
