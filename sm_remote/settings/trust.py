"""Which settings of a notebook are taken only after a person has seen and confirmed them once.

A notebook is a file that others write. Opening one must not spend money, run an image or commands of its author's
choice, hand out credentials, or send data to a bucket of theirs, only because a call was made in it. What was confirmed
is remembered by value in the user's private state, so the same choice is not asked about again.

What is not named here as harmless is asked about: a setting that is new is guarded until somebody has thought about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sm_remote.catalogue import PRICE_REGION, InstanceType, find_instance_type
from sm_remote.home import Home, make_private, write_private

_HARMLESS = frozenset(
    {
        *(
            "use_torchrun",
            "use_mpirun",
            "nproc_per_node",
            "volume_size",
            "use_spot_instances",
            "max_wait_time_in_seconds",
            "fallback",
            "max_attempts",
        ),
        *("preflight", "install_limit_s", "local_workdir_limit_bytes", "cell_limit_bytes"),
        *("inputs_limit_bytes", "enable_network_isolation"),
        *("checkpoint_local_path", "checkpoint_warning_s", "resume", "hyperparameters", "metric_definitions"),
        *("job_name_prefix", "tags", "stream_logs", "on_interrupt", "max_parallel_jobs"),
        *("service_idle_s", "service_max_parallel_jobs", "max_retry_attempts", "max_pending_time_in_seconds"),
        *("encrypt_inter_container_traffic", "disable_output_compression"),
        *("enable_infra_check", "enable_sagemaker_metrics", "experiment_config"),
    }
)
_UNASKED: Mapping[str, tuple[Any, ...]] = {
    "target": ("local",),
    "dependencies": ("auto", None),
    "custom_file_filter": (None,),
    "training_repository_access_mode": ("Platform",),
}
"""Values of other settings that need no confirmation; of all the rest what is empty or off needs none."""
_MOST_UNASKED = {"instance_count": 1, "max_runtime_in_seconds": 86400}
_MOST_REMEMBERED = 2000


def list_guarded(values: Mapping[str, Any], *, usual_instance_type: str | None) -> dict[str, Any]:
    """Those of a notebook's settings that need a confirmation.

    Args:
        values: The notebook's settings.
        usual_instance_type: What would be used without them.
    """
    return {name: value for name, value in values.items() if _is_guarded(name, value, usual_instance_type)}


def _is_guarded(name: str, value: Any, usual_instance_type: str | None) -> bool:
    if name in _HARMLESS:
        return False
    if name in _UNASKED:
        return value not in _UNASKED[name]
    if name in _MOST_UNASKED:
        return bool(value > _MOST_UNASKED[name])
    if name == "instance_type":
        return value is not None and not all(_is_at_most(each, usual_instance_type) for each in str(value).split(","))
    return bool(value)


def _is_at_most(name: str, usual: str | None) -> bool:
    """Whether a type is no larger and no dearer than another, as far as that is known for sure."""
    if usual is None or name == usual:
        return name == usual
    try:
        wanted, known = find_instance_type(name), find_instance_type(usual)
    except KeyError:
        return False
    return all(
        mine is not None and theirs is not None and mine <= theirs
        for mine, theirs in zip(_measure(wanted), _measure(known), strict=True)
    )


def _measure(found: InstanceType) -> tuple[float | None, ...]:
    return found.vcpu, found.memory_gib, float(found.accelerator_count), found.price_usd_per_hour(PRICE_REGION)


def list_unconfirmed(home: Home, guarded: Mapping[str, Any]) -> dict[str, Any]:
    """Those guarded settings that nobody on this machine has confirmed with this value."""
    if not guarded:
        return {}
    known = _read_confirmed(home)
    return {name: value for name, value in guarded.items() if _digest(name, value) not in known}


def confirm(home: Home, values: Mapping[str, Any]) -> None:
    """Remembers that a person has seen these settings and wants them."""
    known = _read_confirmed(home)
    added = [digest for digest in (_digest(name, value) for name, value in values.items()) if digest not in known]
    if added:
        make_private(home.data)
        write_private(home.data / "confirmed_settings.json", json.dumps([*known, *added][-_MOST_REMEMBERED:]))


def _read_confirmed(home: Home) -> list[str]:
    try:
        found = json.loads((home.data / "confirmed_settings.json").read_text())
    except (OSError, ValueError):
        return []
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def _digest(name: str, value: Any) -> str:
    return hashlib.sha256(json.dumps([name, value], sort_keys=True, default=str).encode()).hexdigest()
