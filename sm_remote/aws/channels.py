"""Channels of a training job: as CreateTrainingJob wants them, and as DescribeTrainingJob gives them back. Pure.

Source: API_Channel, API_DataSource, API_S3DataSource, API_FileSystemDataSource, API_DatasetSource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.spec import Channel, FileSystem


def build_channel(channel: Channel) -> dict[str, Any]:
    """Spells a channel as the API wants it; members that have no value are left out."""
    members = {
        "ContentType": channel.content_type,
        "CompressionType": channel.compression,
        "RecordWrapperType": channel.record_wrapper,
        "InputMode": channel.input_mode,
        "ShuffleConfig": None if channel.shuffle_seed is None else {"Seed": channel.shuffle_seed},
    }
    return {
        "ChannelName": channel.name,
        "DataSource": _build_source(channel),
        **{name: value for name, value in members.items() if value is not None},
    }


def _build_source(channel: Channel) -> dict[str, Any]:
    if channel.dataset_arn is not None:
        return {"DatasetSource": {"DatasetArn": channel.dataset_arn}}
    if channel.file_system is not None:
        return {"FileSystemDataSource": _build_file_system(channel.file_system)}
    source: dict[str, Any] = {
        "S3DataType": channel.s3_data_type,
        "S3Uri": channel.s3_uri,
        "S3DataDistributionType": channel.distribution,
    }
    if channel.attribute_names:
        source["AttributeNames"] = list(channel.attribute_names)
    if channel.instance_groups:
        source["InstanceGroupNames"] = list(channel.instance_groups)
    if channel.hub_content_arn is not None:
        source["HubAccessConfig"] = {"HubContentArn": channel.hub_content_arn}
    if channel.accept_eula is not None:
        source["ModelAccessConfig"] = {"AcceptEula": channel.accept_eula}
    return {"S3DataSource": source}


def _build_file_system(file_system: FileSystem) -> dict[str, Any]:
    return {
        "FileSystemId": file_system.id,
        "FileSystemType": file_system.type,
        "DirectoryPath": file_system.directory_path,
        "FileSystemAccessMode": file_system.access_mode,
    }


def read_channel(raw: Mapping[str, Any]) -> Channel:
    """What a channel was asked to be."""
    sources = raw["DataSource"]
    source = sources.get("S3DataSource") or {}
    mounted = sources.get("FileSystemDataSource")
    return Channel(
        name=raw["ChannelName"],
        s3_uri=source.get("S3Uri", ""),
        s3_data_type=source.get("S3DataType", "S3Prefix"),
        content_type=raw.get("ContentType"),
        input_mode=raw.get("InputMode"),
        distribution=source.get("S3DataDistributionType", "FullyReplicated"),
        compression=raw.get("CompressionType"),
        record_wrapper=raw.get("RecordWrapperType"),
        shuffle_seed=(raw.get("ShuffleConfig") or {}).get("Seed"),
        attribute_names=tuple(source.get("AttributeNames") or ()),
        instance_groups=tuple(source.get("InstanceGroupNames") or ()),
        hub_content_arn=(source.get("HubAccessConfig") or {}).get("HubContentArn"),
        accept_eula=(source.get("ModelAccessConfig") or {}).get("AcceptEula"),
        file_system=None if mounted is None else _read_file_system(mounted),
        dataset_arn=(sources.get("DatasetSource") or {}).get("DatasetArn"),
    )


def _read_file_system(raw: Mapping[str, Any]) -> FileSystem:
    return FileSystem(
        id=raw["FileSystemId"],
        type=raw["FileSystemType"],
        directory_path=raw["DirectoryPath"],
        access_mode=raw["FileSystemAccessMode"],
    )


def describe_source(raw: Mapping[str, Any]) -> str:
    """Where a described channel's data is, in one text for people."""
    channel = read_channel(raw) if raw.get("DataSource") and raw.get("ChannelName") else None
    if channel is None:
        return ""
    if channel.file_system is not None:
        return f"{channel.file_system.id}:{channel.file_system.directory_path}"
    return channel.dataset_arn or channel.s3_uri
