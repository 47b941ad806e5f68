"""A job's inputs, put where the container finds them: /opt/ml/input/data/<channel>.

File mode, with the data types S3Prefix (every key that begins with the string) and ManifestFile. A layer of installed
packages in the embedded store has tens of thousands of files: its directory is mounted, not linked file by file.
Source: SageMaker Developer Guide, "Access Training Data"; API_S3DataSource.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sm_remote.service.buckets import Buckets
from sm_remote.service.engine import Mount
from sm_remote.service.hosts import Host
from sm_remote.service.objects import Bucket, ObjectError, is_plain_path, parse_uri
from sm_remote.wire.layout import LAYERS

_DATA = "/opt/ml/input/data"


def stage_channels(
    request: Mapping[str, Any], host: Host, directory: Path, buckets: Buckets, go_on: Callable[[], None]
) -> None:
    """Fills a host's input/data directory with all channels but layers.

    Args:
        request: CreateTrainingJob.
        host: Whose directory it is.
        directory: The host's input/data, empty.
        buckets: Where the objects are.
        go_on: Called before each object; what it raises ends the staging.

    Raises:
        ObjectError: An input is not to be had.
    """
    for channel in request.get("InputDataConfig", ()):
        target = directory / channel["ChannelName"]
        _make_directory(target)
        source = channel["DataSource"]["S3DataSource"]
        if find_layer(source, buckets) is None:
            for bucket, key, relative in list_inputs(source, buckets):
                go_on()
                _place(bucket, key, target, relative)


def find_layer_mounts(request: Mapping[str, Any], buckets: Buckets) -> list[Mount]:
    """What is mounted over the channels that are layers."""
    mounts = []
    for channel in request.get("InputDataConfig", ()):
        layer = find_layer(channel["DataSource"]["S3DataSource"], buckets)
        if layer is not None:
            mounts.append(Mount(source=layer, target=f"{_DATA}/{channel['ChannelName']}", read_only=True))
    return mounts


def list_inputs(source: Mapping[str, Any], buckets: Buckets) -> Iterator[tuple[Bucket, str, str]]:
    """Yields the bucket, key and path below the channel's directory of each of its objects.

    Raises:
        ObjectError: The manifest cannot be read or is not one.
    """
    uri = parse_uri(source["S3Uri"])
    bucket = buckets.find(uri)
    if source["S3DataType"] == "ManifestFile":
        yield from _read_manifest(bucket.read(uri.key), buckets)
        return
    base = uri.key[: uri.key.rfind("/") + 1]
    for key in bucket.list_keys(uri.key):
        if not key.endswith("/"):
            yield bucket, key, key[len(base) :]


def find_layer(source: Mapping[str, Any], buckets: Buckets) -> Path | None:
    """The directory of a sealed layer (``.../layers/<key>/`` of the embedded store), or None for any other input."""
    uri = parse_uri(source["S3Uri"])
    parts = uri.key.rstrip("/").split("/")
    if source["S3DataType"] != "S3Prefix" or len(parts) < 2 or parts[-2] != LAYERS:
        return None
    return buckets.find(uri).find_directory(uri.key)


def _read_manifest(content: bytes, buckets: Buckets) -> Iterator[tuple[Bucket, str, str]]:
    try:
        first, *paths = json.loads(content)
        prefix = parse_uri(str(first["prefix"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ObjectError(f'the manifest is not a JSON array that begins with {{"prefix": ...}}: {error}') from error
    bucket = buckets.find(prefix)
    for path in paths:
        if not isinstance(path, str):
            raise ObjectError("the manifest lists something that is not a string")
        yield bucket, prefix.key + path, path


def _make_directory(directory: Path) -> None:
    """Makes a directory and those above it, readable by whatever user the image runs as."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir()
        directory.chmod(0o755)


def _place(bucket: Bucket, key: str, directory: Path, relative: str) -> None:
    if not relative or not is_plain_path(relative) or not is_plain_path(key):
        raise ObjectError(f"{key} cannot be the name of a file")
    target = directory / PurePosixPath(relative)
    try:
        _make_directory(target.parent)
    except OSError as error:
        raise ObjectError(f"{key}: {error.strerror}") from error
    bucket.place(key, target)
