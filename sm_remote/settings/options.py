"""The settings as keyword arguments, for type checkers and editors. A test keeps them in step with `Settings`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from sm_remote import CustomFileFilter
    from sm_remote.image.definition import Image


class RemoteOptions(TypedDict, total=False):
    """What `remote`, `RemoteFunction.options` and `RemoteExecutor` take; `Settings` says what each means."""

    target: Literal["local", "sagemaker"]
    instance_type: str | Sequence[str]
    instance_count: int
    instance_groups: Sequence[Mapping[str, Any]]
    use_torchrun: bool
    use_mpirun: bool
    nproc_per_node: int | None
    keep_alive_period_in_seconds: int
    volume_size: int
    image_uri: str | Image | None
    dependencies: str | Path | Sequence[str] | None
    preflight: bool
    pre_execution_commands: Sequence[str]
    pre_execution_script: str | Path | None
    include_local_workdir: bool
    custom_file_filter: Callable[[str, list[str]], Iterable[str]] | CustomFileFilter | Sequence[str] | None
    local_workdir_limit_bytes: int
    job_conda_env: str | None
    environment_variables: Mapping[str, str]
    secrets: Mapping[str, str]
    not_secret: Sequence[str]
    hyperparameters: Mapping[str, object]
    metric_definitions: Sequence[Mapping[str, str]]
    inputs: Mapping[str, object]
    inputs_limit_bytes: int
    job_name_prefix: str | None
    max_runtime_in_seconds: int
    max_retry_attempts: int
    max_cost: float | None
    max_cost_per_day: float | None
    use_spot_instances: bool
    max_wait_time_in_seconds: int | None
    fallback: Literal["none", "on_demand"]
    retry_on: type[BaseException] | str | Sequence[type[BaseException] | str]
    max_attempts: int
    checkpoint_s3_uri: str | None
    checkpoint_local_path: str
    checkpoint_warning_s: float
    resume: bool
    role: str | None
    s3_root_uri: str | None
    region: str | None
    tags: Mapping[str, str] | Sequence[tuple[str, str]]
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
    subnets: Sequence[str]
    security_group_ids: Sequence[str]
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
    experiment_config: Mapping[str, str]
    profiler_config: Mapping[str, Any]
    debugger_hook_config: Mapping[str, Any]
    tensorboard_output_config: Mapping[str, Any]
