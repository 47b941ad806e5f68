"""One training job as the panel shows it, out of what the API says. Pure.

Environment variables are named and not shown: their values may be secrets, and the browser has no need of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sm_remote.aws.channels import describe_source
from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration, describe_durable, find_durable
from sm_remote.jobs.succession.history import list_history
from sm_remote.jobs.succession.plan import find_run_name
from sm_remote.server.failure import explain_failure
from sm_remote.server.rows import detail_row, to_ms


def build_details(
    description: TrainingJobDescription,
    tags: Mapping[str, str],
    target: str,
    *,
    chain: Sequence[TrainingJobDescription] = (),
    checkpoints: Sequence[StoredGeneration] = (),
    now_s: float = 0.0,
) -> dict[str, Any]:
    """All that the panel shows of a job.

    Args:
        description: What the API says of it.
        tags: Its tags.
        target: Where it runs.
        chain: The jobs of its call; only itself by default.
        checkpoints: What has arrived at its place for checkpoints.
        now_s: Seconds since 1970.
    """
    raw = description.raw
    algorithm, resources = raw.get("AlgorithmSpecification") or {}, raw.get("ResourceConfig") or {}
    return {
        "row": asdict(detail_row(description, tags, target)),
        "failure": explain_failure(description.failure_reason),
        "phases": _list_phases(description),
        "inputs": _list_inputs(raw),
        "output_uri": f"{description.output_uri}/{description.name}/output/",
        "checkpoint_uri": (raw.get("CheckpointConfig") or {}).get("S3Uri"),
        "checkpoint_note": _describe_checkpoints(description, checkpoints, now_s),
        "attempts": _list_attempts(chain or (description,), checkpoints),
        "metrics": _list_metrics(raw),
        "hyperparameters": dict(raw.get("HyperParameters") or {}),
        "environment_names": sorted(raw.get("Environment") or {}),
        "settings": _list_settings(raw, algorithm, resources),
        "tags": dict(tags),
    }


def _describe_checkpoints(
    description: TrainingJobDescription, checkpoints: Sequence[StoredGeneration], now_s: float
) -> str:
    """What an interruption would cost now; empty where none can come, or where nothing is known of it."""
    runs = str(description.secondary_status) == "Training"
    if not runs or not description.raw.get("CheckpointConfig"):
        return ""
    durable = find_durable(checkpoints, find_run_name(description))
    if durable is None and not description.raw.get("EnableManagedSpotTraining"):
        return ""
    return describe_durable(durable, now=now_s)


def _list_attempts(
    chain: Sequence[TrainingJobDescription], checkpoints: Sequence[StoredGeneration]
) -> list[dict[str, Any]]:
    """The attempts of a job that was interrupted or followed; nothing for one that had a single one."""
    attempts = list_history(chain, lambda _: [each.manifest for each in checkpoints])
    if len(attempts) < 2:
        return []
    several = len({(each.job_name, each.instance_type) for each in attempts}) > 1
    return [
        {
            "number": each.number,
            "duration_s": each.duration_s,
            "cause": each.cause,
            "lost_s": each.lost_s,
            "lost_is_estimate": each.is_estimate,
            "resumed_step": each.resumed_step,
            "instance_type": each.instance_type if several else "",
            "spot": each.spot,
        }
        for each in attempts
    ]


def _list_phases(description: TrainingJobDescription) -> list[dict[str, Any]]:
    return [
        {
            "name": transition.status,
            "start_ms": to_ms(transition.start),
            "end_ms": to_ms(transition.end),
            "message": transition.message,
        }
        for transition in description.transitions
    ]


def _list_inputs(raw: Mapping[str, Any]) -> list[dict[str, str]]:
    """The channels that a person set; those of sm_remote itself say nothing to them."""
    found = []
    for channel in raw.get("InputDataConfig") or ():
        name = channel.get("ChannelName", "")
        if not name.startswith("sm_remote"):
            found.append({"channel": name, "uri": describe_source(channel)})
    return found


def _list_metrics(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": entry["MetricName"], "value": entry["Value"], "time_ms": to_ms(entry.get("Timestamp"))}
        for entry in raw.get("FinalMetricDataList") or ()
    ]


def _list_settings(
    raw: Mapping[str, Any], algorithm: Mapping[str, Any], resources: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What the job was asked to be, under the names that settings have."""
    stopping = raw.get("StoppingCondition") or {}
    values = {
        "instance_type": resources.get("InstanceType"),
        "instance_count": resources.get("InstanceCount"),
        "instance_groups": _spell_groups(resources.get("InstanceGroups") or ()),
        "volume_size": resources.get("VolumeSizeInGB"),
        "image_uri": algorithm.get("TrainingImage"),
        "use_spot_instances": raw.get("EnableManagedSpotTraining"),
        "max_runtime_in_seconds": stopping.get("MaxRuntimeInSeconds"),
        "max_wait_time_in_seconds": stopping.get("MaxWaitTimeInSeconds"),
        "keep_alive_period_in_seconds": resources.get("KeepAlivePeriodInSeconds"),
        "enable_network_isolation": raw.get("EnableNetworkIsolation"),
    }
    return [{"name": name, "value": value} for name, value in values.items() if value is not None]


def _spell_groups(groups: Iterable[Mapping[str, Any]]) -> str | None:
    """Machines of several types as one text; None where there are none."""
    return (
        ", ".join(f"{one['InstanceGroupName']}: {one['InstanceCount']} x {one['InstanceType']}" for one in groups)
        or None
    )
