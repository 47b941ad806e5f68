"""The settings of one notebook as the panel shows them: each with its value, its origin and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sm_remote.catalogue import PRICE_REGION, InstanceType, list_instance_types
from sm_remote.costs import Demand, Price, Rate, choose_region, read_price_book
from sm_remote.errors import ConfigError
from sm_remote.home import Home, find_home
from sm_remote.image.definition import Image
from sm_remote.server.problems import explain
from sm_remote.settings import ResolvedSettings
from sm_remote.settings.json_schema import build_json_schemas
from sm_remote.settings.portable import PRIVATE, check_notebook_values, explain_private
from sm_remote.settings.schema import NAMES
from sm_remote.settings.trust import list_guarded, list_unconfirmed

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("where", ("target", "region", "role")),
    ("machine", ("instance_type", "instance_count", "volume_size", "max_runtime_in_seconds")),
    ("cost", ("max_cost", "max_cost_per_day")),
    (
        "spot",
        ("use_spot_instances", "max_wait_time_in_seconds", "fallback", "checkpoint_s3_uri", "checkpoint_local_path"),
    ),
    ("warm_pool", ("keep_alive_period_in_seconds",)),
    (
        "environment",
        (
            *("image_uri", "dependencies", "environment_variables", "secrets", "include_local_workdir"),
            *("pre_execution_commands", "pre_execution_script", "job_conda_env"),
        ),
    ),
    ("labels", ("job_name_prefix", "tags", "hyperparameters")),
    ("data", ("inputs", "s3_root_uri", "disable_output_compression")),
    ("attempts", ("retry_on", "max_attempts", "max_retry_attempts", "resume")),
    ("processes", ("use_torchrun", "use_mpirun", "nproc_per_node")),
    (
        "limits",
        (
            *("cell_limit_bytes", "inputs_limit_bytes", "local_workdir_limit_bytes"),
            *("install_limit_s", "checkpoint_warning_s"),
        ),
    ),
    ("network", ("enable_network_isolation", "subnets", "security_group_ids", "encrypt_inter_container_traffic")),
    ("keys", ("s3_kms_key", "volume_kms_key", "bucket_owner")),
    ("calls", ("stream_logs", "on_interrupt", "preflight", "max_parallel_jobs")),
    ("local", ("engine", "container_credentials", "service_max_parallel_jobs", "service_idle_s")),
)
"""What the form shows, in its order; a name that is no setting of this version is left out. What is named neither here
nor below stands in a last group."""
REST = "advanced"
IN_CODE = frozenset(
    {
        *("instance_groups", "metric_definitions", "custom_file_filter", "not_secret", "extra_request"),
        *("sagemaker_session", "experiment_config", "profiler_config", "debugger_hook_config"),
        *("tensorboard_output_config",),
    }
)
"""Tables and objects that a form is not good for: they are written in code or in a settings file."""
_ORIGIN = "The notebook"


def check_each(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Checks each value by itself: (those that are accepted, the problems of the others by name)."""
    accepted: dict[str, Any] = {}
    problems: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        try:
            accepted |= check_notebook_values({name: value}, origin=_ORIGIN)
        except ConfigError as error:
            problems[name] = asdict(explain(error))
    return accepted, problems


def list_settings(settings: ResolvedSettings) -> list[dict[str, Any]]:
    """Every setting with its value and origin; the values of environment variables stay here."""
    schemas = build_json_schemas()
    return [
        {
            "name": name,
            "value": _show(name, settings.value(name)),
            "origin": settings.origin(name),
            "private": PRIVATE.get(name),
            "schema": schemas[name],
        }
        for name in NAMES
    ]


def list_groups() -> list[dict[str, Any]]:
    """The form's groups with the settings that there are."""
    grouped = {name for _, names in GROUPS for name in names}
    rest = tuple(name for name in NAMES if name not in grouped | IN_CODE)
    return [
        {"name": group, "settings": [name for name in names if name in NAMES]}
        for group, names in (*GROUPS, (REST, rest))
        if any(name in NAMES for name in names)
    ]


def find_held(home: Home, accepted: Mapping[str, Any], usual: ResolvedSettings, *, trusted: bool) -> dict[str, Any]:
    """What a notebook asks for and does not get before a person has confirmed it; nothing in one that is trusted."""
    if trusted:
        return {}
    guarded = list_guarded(accepted, usual_instance_type=usual.chosen_instance_type)
    return list_unconfirmed(home, guarded)


def find_private(accepted: Mapping[str, Any]) -> dict[str, str]:
    """Those values that may not be written into a notebook, each with the reason."""
    reasons = {name: explain_private(name, value) for name, value in accepted.items()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def estimate(settings: ResolvedSettings) -> dict[str, Any]:
    """What a job would cost; None where a price is not known."""
    rate = _find_rate(settings)
    most = None if rate is None else rate.cost_usd(settings.max_runtime_in_seconds)
    limits = [amount for amount in (most, settings.max_cost) if amount is not None]
    return {
        "free": settings.target == "local",
        "price_usd_per_hour": None if rate is None else rate.usd_per_hour,
        "region": choose_region(settings.region),
        "origin": "" if rate is None else rate.origin,
        "most_usd": min(limits) if most is not None else None,
        "max_runtime_s": settings.max_runtime_in_seconds,
    }


def _find_rate(settings: ResolvedSettings) -> Rate | None:
    if settings.chosen_instance_type is None or settings.whole_host:
        return None
    demand = Demand(machines=settings.machines, is_prepaid=settings.training_plan_arn is not None)
    return read_price_book(find_home(), choose_region(settings.region)).rate(demand)


def list_types() -> list[dict[str, Any]]:
    """Every instance type that can be chosen."""
    book = read_price_book(find_home(), PRICE_REGION)
    return [_render_type(found, book.find(found.name)) for found in list_instance_types()]


def _render_type(found: InstanceType, price: Price | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "vcpu": found.vcpu,
        "memory_gib": found.memory_gib,
        "accelerator": found.accelerator,
        "accelerator_count": found.accelerator_count,
        "price_usd_per_hour": None if price is None else price.usd_per_hour,
    }


def _show(name: str, value: Any) -> Any:
    if name == "environment_variables":
        return dict.fromkeys(value, "")
    if isinstance(value, Image) or callable(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _show("", item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_show("", item) for item in value]
    return value
