"""One training job as the panel shows it, out of what the API says. Pure.

Environment variables are named and not shown: their values may be secrets, and the browser has no need of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.server.failure import explain_failure
from sm_remote.server.rows import detail_row, to_ms


def build_details(description: TrainingJobDescription, tags: Mapping[str, str], target: str) -> dict[str, Any]:
    """All that the panel shows of a job."""
    raw = description.raw
    algorithm, resources = raw.get("AlgorithmSpecification") or {}, raw.get("ResourceConfig") or {}
    return {
        "row": asdict(detail_row(description, tags, target)),
        "failure": explain_failure(description.failure_reason),
        "phases": _list_phases(description),
        "inputs": _list_inputs(raw),
        "output_uri": f"{description.output_uri}/{description.name}/output/",
        "checkpoint_uri": (raw.get("CheckpointConfig") or {}).get("S3Uri"),
        "metrics": _list_metrics(raw),
        "hyperparameters": dict(raw.get("HyperParameters") or {}),
        "environment_names": sorted(raw.get("Environment") or {}),
        "settings": _list_settings(raw, algorithm, resources),
        "tags": dict(tags),
    }


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
        source = (channel.get("DataSource") or {}).get("S3DataSource") or {}
        if not name.startswith("sm_remote"):
            found.append({"channel": name, "uri": source.get("S3Uri", "")})
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
        "volume_size": resources.get("VolumeSizeInGB"),
        "image_uri": algorithm.get("TrainingImage"),
        "use_spot_instances": raw.get("EnableManagedSpotTraining"),
        "max_runtime_in_seconds": stopping.get("MaxRuntimeInSeconds"),
        "max_wait_time_in_seconds": stopping.get("MaxWaitTimeInSeconds"),
        "keep_alive_period_in_seconds": resources.get("KeepAlivePeriodInSeconds"),
        "enable_network_isolation": raw.get("EnableNetworkIsolation"),
    }
    return [{"name": name, "value": value} for name, value in values.items() if value is not None]
