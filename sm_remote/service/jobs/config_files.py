"""The files under /opt/ml/input/config that tell an algorithm about its job.

Source: SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information"; keys and their order as seen in
containers on SageMaker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sm_remote.service.channels.file_mode import find_mode, list_channels
from sm_remote.service.checkpoints.config import find_local_path
from sm_remote.service.hosts.host import Host


def write_config(
    directory: Path, request: Mapping[str, Any], *, host: Host, hosts: Sequence[Host], interface: str = "eth0"
) -> None:
    """Writes all of a host's configuration files."""
    files = {
        "hyperparameters.json": request.get("HyperParameters", {}),
        "inputdataconfig.json": build_input_data_config(request, host),
        "resourceconfig.json": build_resource_config(host, hosts, interface),
        "metric-definition-regex.json": request["AlgorithmSpecification"].get("MetricDefinitions", []),
    }
    if "CheckpointConfig" in request:
        files["checkpointconfig.json"] = {"LocalPath": find_local_path(request["CheckpointConfig"])}
    for name, content in files.items():
        path = directory / name
        path.write_text(json.dumps(content))
        path.chmod(0o644)


def build_input_data_config(request: Mapping[str, Any], host: Host) -> dict[str, dict[str, str]]:
    """How each of a host's channels is presented. The S3 URI is never among it."""
    config = {}
    for channel in list_channels(request, host):
        source = channel["DataSource"]["S3DataSource"]
        entry = {"ContentType": channel["ContentType"]} if "ContentType" in channel else {}
        entry["TrainingInputMode"] = find_mode(channel, request)
        entry["S3DistributionType"] = source.get("S3DataDistributionType", "FullyReplicated")
        entry["RecordWrapperType"] = channel.get("RecordWrapperType", "None")
        config[channel["ChannelName"]] = entry
    return config


def build_resource_config(host: Host, hosts: Sequence[Host], interface: str = "eth0") -> dict[str, Any]:
    """The cluster as one of its hosts sees it; a host's rank is its place in the sorted list."""
    groups = {each.instance_group: each.instance_type for each in hosts}
    return {
        "current_host": host.name,
        "current_instance_type": host.instance_type,
        "current_group_name": host.instance_group,
        "hosts": sorted(each.name for each in hosts),
        "instance_groups": [
            {
                "instance_group_name": group,
                "instance_type": instance_type,
                "hosts": sorted(each.name for each in hosts if each.instance_group == group),
            }
            for group, instance_type in groups.items()
        ],
        "network_interface_name": interface,
    }
