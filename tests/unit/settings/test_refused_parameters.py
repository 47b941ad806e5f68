"""What the SageMaker SDK's `remote` takes is a setting here, or refused with its reason; nothing is passed over."""

from __future__ import annotations

import pytest

from sm_remote import remote
from sm_remote.errors import ConfigError
from sm_remote.executor import RemoteExecutor
from sm_remote.settings import check_names, resolve_settings
from sm_remote.settings.environment import read_environment
from sm_remote.settings.refused_parameters import REFUSED
from sm_remote.settings.schema import NAMES

SDK = [
    "dependencies",
    "pre_execution_commands",
    "pre_execution_script",
    "environment_variables",
    "image_uri",
    "include_local_workdir",
    "custom_file_filter",
    "instance_count",
    "instance_type",
    "job_conda_env",
    "job_name_prefix",
    "keep_alive_period_in_seconds",
    "max_retry_attempts",
    "max_runtime_in_seconds",
    "role",
    "s3_kms_key",
    "s3_root_uri",
    "sagemaker_session",
    "security_group_ids",
    "subnets",
    "tags",
    "volume_kms_key",
    "volume_size",
    "encrypt_inter_container_traffic",
    "spark_config",
    "use_spot_instances",
    "max_wait_time_in_seconds",
    "disable_output_compression",
    "use_torchrun",
    "use_mpirun",
    "nproc_per_node",
]
"""Source: inspect.signature of sagemaker.remote_function.remote, SDK 2.257.7 and 3.27.0."""


def test_the_sdks_31_parameters_are_settings_or_refused():
    assert len(SDK) == 31
    assert set(SDK) <= set(NAMES) | set(REFUSED)
    assert not set(NAMES) & set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_parameter_that_is_refused_is_so_wherever_it_stands(name):
    with pytest.raises(ConfigError, match=f"sets '{name}', which is refused") as in_code:
        remote(**{name: object()})
    with pytest.raises(ConfigError, match="which is refused"):
        RemoteExecutor(**{name: object()})
    with pytest.raises(ConfigError, match="which is refused"):
        check_names([name], origin="/some/config.toml")
    with pytest.raises(ConfigError, match="which is refused"):
        read_environment({f"SM_REMOTE_{name.upper()}": "x"})
    assert (in_code.value.why, in_code.value.fix) == REFUSED[name]


@pytest.mark.parametrize("name", REFUSED)
def test_the_sdks_default_for_it_is_no_wish(name, tmp_path):
    remote(**{name: None})(len)
    arguments = {name: None, "volume_size": 40}
    settings = resolve_settings(arguments, environ={"HOME": str(tmp_path)}, cwd=tmp_path, notebook={name: None})
    assert settings.volume_size == 40
