"""What the members of a channel have to do with each other, and with the rest of a CreateTrainingJob request: a table.

Source: API_Channel, API_DataSource, API_S3DataSource, API_FileSystemDataSource; SageMaker Developer Guide, "Access
Training Data". The texts are ours, in the service's style.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sm_remote.service.api.rules import Node, Rule, repeated
from sm_remote.service.storage.objects import parse_uri


def is_no_uri(path: str) -> Callable[[Node], bool]:
    """A test of whether what is at a path, if anything, is no URI of S3."""

    def is_none(node: Node) -> bool:
        try:
            parse_uri(node[path] or "s3://none")
        except ValueError:
            return True
        return False

    return is_none


def _count_sources(channel: Node) -> int:
    source = channel["DataSource"] or {}
    return sum(source.get(name) is not None for name in ("S3DataSource", "FileSystemDataSource", "DatasetSource"))


def _mode(channel: Node) -> str | None:
    mode = channel["InputMode"] or channel.of_job("AlgorithmSpecification.TrainingInputMode")
    return None if mode is None else str(mode)


def _group_names(node: Node) -> set[str]:
    groups: Sequence[Mapping[str, Any]] = node.of_job("ResourceConfig.InstanceGroups") or ()
    return {str(group.get("InstanceGroupName")) for group in groups if group is not None}


CHANNEL_RULES: tuple[Rule, ...] = (
    Rule(
        "ChannelName",
        repeated("InputDataConfig", "ChannelName"),
        "Channel names must be unique within a training job",
        each="InputDataConfig",
    ),
    Rule(
        "ChannelName",
        lambda channel: channel["ChannelName"] in (".", ".."),
        "Member cannot be the name of a channel",
        each="InputDataConfig",
    ),
    Rule(
        "DataSource",
        lambda channel: channel["DataSource"] is not None and _count_sources(channel) != 1,
        "Exactly one of S3DataSource, FileSystemDataSource and DatasetSource must be given",
        each="InputDataConfig",
    ),
    Rule(
        "DataSource.S3DataSource.S3Uri",
        is_no_uri("DataSource.S3DataSource.S3Uri"),
        "Member must be the S3 URI of an object or a prefix",
        each="InputDataConfig",
    ),
    Rule(
        "DataSource.S3DataSource.AttributeNames",
        lambda channel: (
            channel["DataSource.S3DataSource.S3DataType"] == "AugmentedManifestFile"
            and not channel.has("DataSource.S3DataSource.AttributeNames")
        ),
        "Member must not be empty when S3DataType is AugmentedManifestFile",
        each="InputDataConfig",
    ),
    Rule(
        "DataSource.S3DataSource.AttributeNames",
        lambda channel: (
            channel.has("DataSource.S3DataSource.AttributeNames")
            and channel["DataSource.S3DataSource.S3DataType"] != "AugmentedManifestFile"
        ),
        "Member is only supported when S3DataType is AugmentedManifestFile",
        each="InputDataConfig",
    ),
    Rule(
        "InputMode",
        lambda channel: (
            _mode(channel) == "FastFile" and channel["DataSource.S3DataSource.S3DataType"] not in (None, "S3Prefix")
        ),
        "FastFile mode supports the S3DataType S3Prefix only",
        each="InputDataConfig",
    ),
    Rule(
        "DataSource.S3DataSource.InstanceGroupNames",
        lambda channel: not set(channel["DataSource.S3DataSource.InstanceGroupNames"] or ()) <= _group_names(channel),
        "Member must name instance groups of ResourceConfig.InstanceGroups",
        each="InputDataConfig",
    ),
    Rule(
        "InputMode",
        lambda channel: channel["DataSource.FileSystemDataSource"] is not None and _mode(channel) != "File",
        "A FileSystemDataSource supports File mode only",
        each="InputDataConfig",
    ),
    Rule(
        "DataSource.FileSystemDataSource",
        lambda channel: channel["DataSource.FileSystemDataSource"] is not None and channel.of_job("VpcConfig") is None,
        "VpcConfig must be given with a FileSystemDataSource",
        each="InputDataConfig",
    ),
)
"""Every rule, in the order in which what is broken is told."""
