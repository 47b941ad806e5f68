"""A job's inputs in File mode, put where the container finds them: /opt/ml/input/data/<channel>.

A layer of installed packages in the embedded store has tens of thousands of files: its directory is mounted, not
linked file by file. Source: SageMaker Developer Guide, "Access Training Data"; API_Channel.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.channels.inputs import Input, list_inputs
from sm_remote.service.channels.shards import Shard, find_shard, reaches
from sm_remote.service.engines.engine import Mount
from sm_remote.service.hosts.host import Host, list_hosts
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.objects import ObjectError, is_plain_path, parse_uri
from sm_remote.service.storage.target_paths import make_room
from sm_remote.service.storage.transfers import Transfer, run_transfers
from sm_remote.wire.layout import LAYERS

DATA = "/opt/ml/input/data"


def find_mode(channel: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """File, FastFile or Pipe: the channel's own, or else the job's."""
    return str(channel.get("InputMode", request["AlgorithmSpecification"]["TrainingInputMode"]))


def is_viewed(channel: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a channel is to be shown as it is read, and not downloaded: see `fast_file`."""
    source = channel["DataSource"]["S3DataSource"]
    is_remote = parse_uri(source["S3Uri"]).bucket != LOCAL_BUCKET
    return find_mode(channel, request) == "FastFile" and is_remote and source["S3DataType"] == "S3Prefix"


def list_channels(request: Mapping[str, Any], host: Host) -> list[Mapping[str, Any]]:
    """The channels that a host gets."""
    return [channel for channel in request.get("InputDataConfig", ()) if reaches(channel, host)]


def stage_channels(
    request: Mapping[str, Any],
    host: Host,
    directory: Path,
    buckets: Buckets,
    go_on: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Fills a host's input/data directory with all channels but layers, pipes and views.

    Args:
        request: CreateTrainingJob.
        host: Whose directory it is.
        directory: The host's input/data, empty.
        buckets: Where the objects are.
        go_on: Called before each object; what it raises ends the staging.
        say: Told how far a slow channel is.

    Raises:
        ObjectError: An input is not to be had.
    """
    hosts = list_hosts(request)
    for channel in list_channels(request, host):
        if find_mode(channel, request) != "Pipe" and not is_viewed(channel, request):
            names = stage_channel(channel, find_shard(channel, host, hosts), directory, buckets, go_on, say)
            if names and find_mode(channel, request) == "File":
                _write_manifest(directory, channel["ChannelName"], names)


def stage_channel(
    channel: Mapping[str, Any],
    shard: Shard,
    directory: Path,
    buckets: Buckets,
    go_on: Callable[[], None],
    say: Callable[[str], None],
) -> list[str]:
    """Fills the directory of one channel; that of a layer stays empty, to be mounted over.

    Returns:
        The paths of its files.

    Raises:
        ObjectError: An input is not to be had.
    """
    source = channel["DataSource"]["S3DataSource"]
    name = channel["ChannelName"]
    target = directory / name
    target.mkdir(exist_ok=True)  # a container that is held ready has it mounted
    target.chmod(0o755)
    names: list[str] = []
    if find_layer(source, buckets) is not None:
        return names
    chosen: Iterable[Input] = list_inputs(source, buckets)
    if shard.count > 1:
        chosen = shard.select(list(chosen))
    run_transfers(_plan_transfers(chosen, target, names, go_on), go_on, partial(_say_of, name, say))
    return names


def _say_of(name: str, say: Callable[[str], None], text: str) -> None:
    say(f"downloading channel {name}: {text}")


def _plan_transfers(
    chosen: Iterable[Input], directory: Path, names: list[str], go_on: Callable[[], None]
) -> Iterator[Transfer]:
    """Yields what makes each object a file, and notes its name."""
    for item in chosen:
        if not is_plain_path(item.key):
            raise ObjectError(f"{item.key} cannot be the name of a file")
        target = make_room(directory, item.relative, item.key, mode=0o755)
        names.append(item.relative)
        yield Transfer(run=partial(item.bucket.place, item.key, target, go_on), is_remote=item.bucket.is_remote)


def _write_manifest(directory: Path, channel: str, names: list[str]) -> None:
    """Lists what was downloaded, beside the channel's directory.

    The file has been seen on SageMaker; that it has the form of a ManifestFile is our choice.
    """
    path = directory / f"{channel}-manifest"
    path.write_text(json.dumps([{"prefix": f"{DATA}/{channel}/"}, *names]))
    path.chmod(0o644)


def find_channel_mounts(request: Mapping[str, Any], host: Host, directory: Path, buckets: Buckets) -> list[Mount]:
    """What is mounted at channels: layers, and all that may be hard links into the store, which no job may change.

    Other channels are copies, which a job may write to as on SageMaker: the SDK v3 makes its own driver executable.
    """
    mounts = []
    for channel in list_channels(request, host):
        source = channel["DataSource"]["S3DataSource"]
        name = channel["ChannelName"]
        layer = find_layer(source, buckets)
        if layer is None and (find_mode(channel, request) == "Pipe" or _is_copied(source)):
            continue
        mounts.append(Mount(source=layer or directory / name, target=f"{DATA}/{name}", read_only=True))
    return mounts


def _is_copied(source: Mapping[str, Any]) -> bool:
    """Whether all of an input is surely a copy; a manifest may name objects of any bucket."""
    return source["S3DataType"] == "S3Prefix" and parse_uri(source["S3Uri"]).bucket != LOCAL_BUCKET


def find_layer(source: Mapping[str, Any], buckets: Buckets) -> Path | None:
    """The directory of a sealed layer (``.../layers/<key>/`` of the embedded store), or None for any other input."""
    uri = parse_uri(source["S3Uri"])
    parts = uri.key.rstrip("/").split("/")
    if source["S3DataType"] != "S3Prefix" or len(parts) < 2 or parts[-2] != LAYERS:
        return None
    return buckets.find(uri).find_directory(uri.key)
