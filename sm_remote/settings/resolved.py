"""The settings of one call: values that no longer change, each with its origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sm_remote.catalogue import list_choices
from sm_remote.errors import ConfigError
from sm_remote.image.definition import Image


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedSettings:
    """One value for every setting; what each means is said in `Settings`.

    Attributes:
        chosen_instance_type: None where nobody named one and there is no default; see `instance_type`.
        further_instance_types: What is tried after it, in this order, where there is no capacity or quota.
        whole_host: Whether ``instance_type`` was "local" or "local_gpu": then it names a type that is larger than
            hosts are, and the local service gives as much of it as this machine has.
        gpu: Whether it was "local_gpu".
        origins: For each setting "default", the path of a file (of the SageMaker SDK's also its URI in S3), the name of
            an environment variable, "notebook", "session" (the magic ``%remote``) or "argument".
    """

    target: Literal["local", "sagemaker"]
    chosen_instance_type: str | None
    further_instance_types: tuple[str, ...]
    instance_count: int
    instance_groups: tuple[Mapping[str, Any], ...]
    use_torchrun: bool
    use_mpirun: bool
    nproc_per_node: int | None
    keep_alive_period_in_seconds: int
    volume_size: int
    image_uri: str | Image | None
    dependencies: str | tuple[str, ...] | None
    preflight: bool
    pre_execution_commands: tuple[str, ...]
    pre_execution_script: str | None
    include_local_workdir: bool
    custom_file_filter: Any
    local_workdir_limit_bytes: int
    job_conda_env: str | None
    environment_variables: Mapping[str, str]
    secrets: Mapping[str, str]
    not_secret: tuple[str, ...]
    hyperparameters: Mapping[str, str]
    metric_definitions: tuple[Mapping[str, str], ...]
    inputs: Mapping[str, Any]
    inputs_limit_bytes: int
    job_name_prefix: str | None
    max_runtime_in_seconds: int
    max_retry_attempts: int
    max_cost: float | None
    max_cost_per_day: float | None
    use_spot_instances: bool
    max_wait_time_in_seconds: int | None
    fallback: Literal["none", "on_demand"]
    retry_on: tuple[str, ...]
    max_attempts: int
    checkpoint_s3_uri: str | None
    checkpoint_local_path: str
    checkpoint_warning_s: float
    resume: bool
    role: str | None
    s3_root_uri: str | None
    region: str | None
    tags: Mapping[str, str]
    enable_network_isolation: bool
    disable_output_compression: bool
    extra_request: Mapping[str, Any]
    stream_logs: bool
    cell_limit_bytes: int
    on_interrupt: Literal["stop", "detach"]
    max_parallel_jobs: int
    install_limit_s: float
    engine: Literal["auto", "docker", "process"]
    container_credentials: str | None
    service_idle_s: float
    service_max_parallel_jobs: int | None
    sagemaker_session: Any
    subnets: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    encrypt_inter_container_traffic: bool
    s3_kms_key: str | None
    bucket_owner: str | None
    volume_kms_key: str | None
    training_plan_arn: str | None
    max_pending_time_in_seconds: int | None
    training_repository_access_mode: Literal["Platform", "Vpc"]
    training_repository_credentials_provider_arn: str | None
    enable_remote_debug: bool
    enable_infra_check: bool
    enable_session_tag_chaining: bool
    enable_sagemaker_metrics: bool
    experiment_config: Mapping[str, Any]
    profiler_config: Mapping[str, Any]
    debugger_hook_config: Mapping[str, Any]
    tensorboard_output_config: Mapping[str, Any]
    whole_host: bool
    gpu: bool
    origins: Mapping[str, str]

    @property
    def instance_type(self) -> str:
        """The instance type that requests name.

        Raises:
            ConfigError: None was named, and on SageMaker there is no default: it decides the price.
        """
        if self.chosen_instance_type is None:
            choices = list_choices()
            raise ConfigError(
                "No instance type is named; nothing was sent.",
                why="On SageMaker there is no default, because the instance type decides the price.",
                fix=f"Name one: @remote(instance_type={choices[0]!r}). Choices: {', '.join(choices)} ...",
                choices=choices,
            )
        return self.chosen_instance_type

    @property
    def machines(self) -> tuple[tuple[str, int], ...]:
        """The instance types of the job, each with how many machines it has.

        Raises:
            ConfigError: None was named; see `instance_type`.
        """
        if self.instance_groups:
            return tuple((group["InstanceType"], group["InstanceCount"]) for group in self.instance_groups)
        return ((self.instance_type, self.instance_count),)

    def value(self, name: str) -> Any:
        """A setting by its name; None for an instance type that nobody named, several with commas between them."""
        if name not in self.origins:
            raise KeyError(name)
        if name == "instance_type":
            return ",".join(filter(None, (self.chosen_instance_type, *self.further_instance_types))) or None
        return getattr(self, name)

    def origin(self, name: str) -> str:
        """Where a setting's value came from."""
        return self.origins[name]
