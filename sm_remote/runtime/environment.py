"""The SM_* variables that SageMaker's own containers set, from the files that the platform writes.

Source: sagemaker-training-toolkit, ENVIRONMENT_VARIABLES.md; a name is ``SM_`` and the rest in capitals, lists and
mappings are compact JSON.
"""

from __future__ import annotations

import json
import os
from typing import Any

from sm_remote.wire.layout import CHANNEL, LAYER_CHANNEL, ml_path


def set_environment() -> None:
    """Sets the variables in this process. One that is set already was set by the user and stays."""
    for name, value in build_variables().items():
        os.environ.setdefault(name, value)


def build_variables() -> dict[str, str]:
    """What `set_environment` sets."""
    resources = _read_config("resourceconfig.json")
    hyperparameters = {name: decode_value(text) for name, text in _read_config("hyperparameters.json").items()}
    channels = sorted(set(_read_config("inputdataconfig.json")) - {CHANNEL, LAYER_CHANNEL})
    variables: dict[str, Any] = {
        "INPUT_DIR": ml_path("input"),
        "INPUT_CONFIG_DIR": ml_path("input", "config"),
        "MODEL_DIR": ml_path("model"),
        "OUTPUT_DIR": ml_path("output"),
        "OUTPUT_DATA_DIR": ml_path("output", "data"),
        "CHANNELS": channels,
        "HPS": hyperparameters,
        "HOSTS": read_hosts(resources),
        "CURRENT_HOST": resources.get("current_host", "algo-1"),
        "CURRENT_INSTANCE_TYPE": resources.get("current_instance_type", ""),
        **_describe_groups(resources),
        "NETWORK_INTERFACE_NAME": resources.get("network_interface_name", "eth0"),
        "NUM_GPUS": count_gpus(),
        "NUM_CPUS": count_cpus(),
        "RESOURCE_CONFIG": resources,
    }
    variables.update({f"CHANNEL_{name.upper()}": ml_path("input", "data", name) for name in channels})
    variables.update({f"HP_{name.upper()}": value for name, value in hyperparameters.items()})
    return {f"SM_{name}": encode_value(value) for name, value in variables.items()}


def _describe_groups(resources: dict[str, Any]) -> dict[str, Any]:
    """What tells a host of which instance group it is; a job of one instance type has one group."""
    groups = {group.get("instance_group_name", ""): group for group in resources.get("instance_groups") or ()}
    current = resources.get("current_group_name", "")
    return {
        "CURRENT_INSTANCE_GROUP": current,
        "CURRENT_INSTANCE_GROUP_HOSTS": groups.get(current, {}).get("hosts", []),
        "INSTANCE_GROUPS": list(groups),
        "INSTANCE_GROUPS_DICT": groups,
        "IS_HETERO": len(groups) > 1,
    }


def read_cluster() -> tuple[list[str], str, str]:
    """All hosts of the job in the order of their ranks, this one, and the network interface between them."""
    resources = _read_config("resourceconfig.json")
    hosts = read_hosts(resources)
    return hosts, str(resources.get("current_host", hosts[0])), str(resources.get("network_interface_name", "eth0"))


def read_hosts(resources: dict[str, Any]) -> list[str]:
    """All hosts of the job; without resourceconfig.json there is one."""
    return list(resources.get("hosts") or [resources.get("current_host", "algo-1")])


def count_gpus() -> int:
    """NVIDIA devices that this container was given."""
    try:
        devices = os.listdir("/dev")
    except OSError:
        return 0
    return sum(name.startswith("nvidia") and name[6:].isdigit() for name in devices)


def count_cpus() -> int:
    """CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_config(name: str) -> dict[str, Any]:
    try:
        with open(ml_path("input", "config", name), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def decode_value(text: Any) -> Any:
    """A hyperparameter's value: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def encode_value(value: Any) -> str:
    """A variable's text: lists and mappings as compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
