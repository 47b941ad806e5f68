"""The channels of a call's ``inputs=``: what is here is hashed, and stored once under the digest of all its files.

Planning reads and refuses; nothing is stored before `GatheredInputs.upload`. A channel's files lie in the store under
``inputs/<digest>/<path>``, so they are a plain prefix to SageMaker: every input mode, sharding and shuffling work, and
the job sees each file under its own path. The digest is over paths, sizes and contents: the same data has one place,
and another state of it has another.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_remote.capture.explanation import Item
from sm_remote.capture.file_digests import FileDigests
from sm_remote.capture.input_files import InputFile, list_files
from sm_remote.capture.input_values import choose_file_name, measure_data, write_data
from sm_remote.capture.sizes import render_size
from sm_remote.capture.transfer_bar import show_transfer
from sm_remote.errors import ConfigError, StorageError
from sm_remote.home import Home, make_private
from sm_remote.inputs import (
    FileSystemInput,
    TrainingInput,
    describe_data,
    find_path,
    is_dataset,
    is_remote,
    read_input,
)
from sm_remote.spec import Channel, FileSystem
from sm_remote.storage.blobs import put_checked
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.storage.store import Store
from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.layout import input_prefix

_logger = logging.getLogger("sm_remote")

_PARALLEL_UPLOADS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class InputsRequest:
    """What of it was asked for.

    Attributes:
        values: Data by channel name.
        limit_bytes: How much of one channel may be sent from here.
        shows_progress: Whether a bar is shown while much is read or sent.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    limit_bytes: int = 20_000_000_000
    shows_progress: bool = False


NO_INPUTS = InputsRequest()
"""No channels of the user's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hashed:
    """Files that are to lie below one prefix, with their digests."""

    channel: str
    digest: str
    files: tuple[tuple[InputFile, BlobRef], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GatheredInputs:
    """All channels of a call, ready to be named in a request; local data is still here.

    Attributes:
        channels: As the job gets them.
    """

    channels: tuple[Channel, ...]
    _hashed: tuple[_Hashed, ...]
    _store: Store
    _shows_progress: bool

    def upload(self) -> int:
        """Stores what the store lacks.

        Returns:
            How many bytes were written.

        Raises:
            CorruptBlob: A file changed meanwhile.
            StorageError: The store cannot be read or written, or holds something else at a channel's place.
        """
        return sum(_upload(one, self._store, shows_progress=self._shows_progress) for one in self._hashed)


def list_input_items(request: InputsRequest) -> Iterator[Item]:
    """Lists the channels for people; files are looked at and not read.

    Raises:
        ConfigError: A channel's data is not there, or cannot be sent.
    """
    for name, value in request.values.items():
        found = _read(name, value)
        if isinstance(found, FileSystemInput):
            place = f"{found.file_system_id}:{found.directory_path}"
            yield Item(kind="input", name=f"{name}: {place}", why="inputs, mounted", size_bytes=0)
        elif is_remote(found.s3_data):
            yield Item(kind="input", name=f"{name}: {found.s3_data}", why="inputs, read by the job", size_bytes=0)
        else:
            yield _describe_local(name, found, request.limit_bytes)


def _describe_local(name: str, found: TrainingInput, limit_bytes: int) -> Item:
    path = find_path(found.s3_data)
    if path is None:
        file_name = choose_file_name(name, found.s3_data, found.content_type)
        shown, size_bytes = f"{describe_data(found.s3_data)} as {file_name}", measure_data(found.s3_data)
    else:
        files = list_files(name, path, limit_bytes=limit_bytes)
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        shown, size_bytes = f"{path} ({count})", sum(one.size_bytes for one in files)
    return Item(kind="input", name=f"{name}: {shown}", why="inputs", size_bytes=size_bytes)


@contextmanager
def gather_inputs(request: InputsRequest, *, home: Home, store: Store) -> Iterator[GatheredInputs]:
    """Reads what is here and names all channels. Files made of data in memory are gone after the block.

    Raises:
        ConfigError: A channel's data is not there, or cannot be sent; nothing was stored.
    """
    digests = FileDigests(home.cache / "input_digests.sqlite")
    channels: list[Channel] = []
    hashed: list[_Hashed] = []
    with ExitStack() as stack:
        read = [(name, _read(name, value)) for name, value in request.values.items()]
        # All are listed before any is read: a mistyped path need not wait until another channel has been hashed.
        listed = [
            (name, found, files)
            for name, found in read
            for files in [_list_local(name, found, request.limit_bytes, home, stack)]
        ]
        for name, found, files in listed:
            local = _hash(name, files, digests, shows_progress=request.shows_progress) if files else None
            channels.append(
                _build_channel(name, found, None if local is None else store.uri(input_prefix(local.digest)))
            )
            hashed += [] if local is None else [local]
        yield GatheredInputs(
            channels=tuple(channels), _hashed=tuple(hashed), _store=store, _shows_progress=request.shows_progress
        )


def place_files(name: str, value: Any, directory: Path, *, limit_bytes: int) -> None:
    """Fills a directory as a job's channel would be, for a function that runs here: files are links to the data's own.

    Raises:
        ConfigError: The data is not there, cannot be sent, or is nothing that this process has.
    """
    found = _read(name, value)
    path = None if isinstance(found, FileSystemInput) else find_path(found.s3_data)
    if isinstance(found, FileSystemInput) or is_remote(found.s3_data):
        raise ConfigError(
            f"The channel {name!r} cannot be had in this process.",
            why="Its data is a file system or a data set that SageMaker gives to its own machines alone.",
            fix="Run the function as a job, or give a local path for a run here: "
            f"f.options(inputs={{{name!r}: '...'}}).local(...).",
            channel=name,
        )
    if path is None:
        file_name = choose_file_name(name, found.s3_data, found.content_type)
        write_data(name, found.s3_data, directory / file_name)
        return
    for one in list_files(name, path, limit_bytes=limit_bytes):
        target = directory / one.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(one.path.absolute())


def _read(name: str, value: Any) -> TrainingInput | FileSystemInput:
    try:
        found = read_input(value)
    except ValueError as error:
        raise ConfigError(f"The channel {name!r} cannot be sent: {error}.", channel=name) from error
    if isinstance(found, TrainingInput):
        _check_options(name, found)
    return found


def _check_options(name: str, found: TrainingInput) -> None:
    """Refuses options that contradict each other. Source: Developer Guide, "Access Training Data"; API_S3DataSource."""
    why, fix = "", ""
    if found.s3_data_type == "AugmentedManifestFile" and not found.attribute_names:
        why, fix = "An augmented manifest needs attribute_names.", "Name those that the job is to get."
    elif found.attribute_names and found.s3_data_type != "AugmentedManifestFile":
        why = "attribute_names are those of an augmented manifest."
        fix = "Add s3_data_type='AugmentedManifestFile', or leave them out."
    elif found.input_mode == "FastFile" and found.s3_data_type != "S3Prefix":
        why, fix = "FastFile mode shows a prefix alone, no manifest.", "Use input_mode='File' or 'Pipe'."
    elif found.s3_data_type != "S3Prefix" and not is_remote(found.s3_data):
        why = "A manifest names objects in S3, and the data is local."
        fix = "Store the manifest in S3 and give its s3:// URI, or leave s3_data_type out."
    if why:
        raise ConfigError(
            f"The channel {name!r} cannot be as it is described; nothing was sent.", why=why, fix=fix, channel=name
        )


def _list_local(
    name: str, found: TrainingInput | FileSystemInput, limit_bytes: int, home: Home, stack: ExitStack
) -> tuple[InputFile, ...]:
    """The files of a channel whose data is here; none for others."""
    if isinstance(found, FileSystemInput) or is_remote(found.s3_data):
        return ()
    path = find_path(found.s3_data)
    if path is not None:
        return list_files(name, path, limit_bytes=limit_bytes)
    file_name = choose_file_name(name, found.s3_data, found.content_type)
    incoming = make_private(home.cache / "incoming")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=incoming, prefix="input-")))
    write_data(name, found.s3_data, folder / file_name)
    return list_files(name, str(folder / file_name), limit_bytes=limit_bytes)


def _hash(name: str, files: tuple[InputFile, ...], digests: FileDigests, *, shows_progress: bool) -> _Hashed:
    known = digests.find(files)
    unknown_bytes = sum(one.size_bytes for one in files if one.name not in known)
    hashed: list[tuple[InputFile, BlobRef]] = []
    with show_transfer(f"reading {name}", unknown_bytes, shown=shows_progress) as advance:
        for one in files:
            digest = known.get(one.name)
            if digest is None:
                digest = _digest(name, one)
                digests.remember(one, digest)
                advance(one.size_bytes)
            hashed.append((one, BlobRef(digest=digest, size_bytes=one.size_bytes)))
    digests.save()
    return _Hashed(channel=name, digest=_digest_all(hashed), files=tuple(hashed))


def _digest(name: str, one: InputFile) -> str:
    try:
        return digest_file(one.path)
    except OSError as error:
        raise ConfigError(
            f"The channel {name!r} cannot be sent: {one.path} cannot be read.",
            why=f"{error.strerror or error}.",
            fix="Make it readable, or move it elsewhere.",
            channel=name,
            path=str(one.path),
        ) from error


def _digest_all(files: Sequence[tuple[InputFile, BlobRef]]) -> str:
    """The digest of a channel: SHA-256 over a JSON line of path, size and digest for each file, in order."""
    whole = hashlib.sha256(b"sm_remote/inputs/v1\n")
    for one, ref in files:
        whole.update(f"{json.dumps([one.name, ref.size_bytes, ref.digest])}\n".encode())
    return whole.hexdigest()


def _build_channel(name: str, found: TrainingInput | FileSystemInput, local_uri: str | None) -> Channel:
    if isinstance(found, FileSystemInput):
        return Channel(
            name=name,
            content_type=found.content_type,
            file_system=FileSystem(
                id=found.file_system_id,
                type=found.file_system_type,
                directory_path=found.directory_path,
                access_mode=found.file_system_access_mode,
            ),
        )
    if is_dataset(found.s3_data):
        return Channel(name=name, dataset_arn=found.s3_data, input_mode=found.input_mode)
    return Channel(
        name=name,
        s3_uri=local_uri or str(found.s3_data),
        s3_data_type=found.s3_data_type,
        content_type=found.content_type,
        input_mode=found.input_mode,
        distribution=found.distribution or "FullyReplicated",
        compression=found.compression,
        record_wrapper=found.record_wrapping,
        shuffle_seed=found.shuffle_seed,
        attribute_names=tuple(found.attribute_names or ()),
        instance_groups=tuple(found.instance_groups or ()),
        hub_content_arn=(found.hub_access_config or {}).get("HubContentArn"),
        accept_eula=(found.model_access_config or {}).get("AcceptEula"),
    )


def _upload(hashed: _Hashed, store: Store, *, shows_progress: bool) -> int:
    prefix = input_prefix(hashed.digest)
    missing = _list_missing(hashed, prefix, store)
    if not missing:
        return 0
    size_bytes = sum(ref.size_bytes for _, ref in missing)
    _logger.info("Channel %s: storing %d files, %s", hashed.channel, len(missing), render_size(size_bytes))
    with show_transfer(f"sending {hashed.channel}", size_bytes, shown=shows_progress) as advance:
        return _store_all(missing, prefix, store, advance)


def _list_missing(hashed: _Hashed, prefix: str, store: Store) -> list[tuple[InputFile, BlobRef]]:
    """What is not stored yet; what a power cut left of an object is removed.

    Raises:
        StorageError: There is something else: the job would take it for a part of the data.
    """
    wanted = {f"{prefix}{one.name}": (one, ref) for one, ref in hashed.files}
    stored = {found.key: found.size_bytes for found in store.list(prefix) if found.key.startswith(prefix)}
    foreign = sorted(stored.keys() - wanted.keys())
    if foreign:
        raise StorageError(
            f"The place of the channel {hashed.channel!r} holds {foreign[0]!r}, which is not of its data.",
            why=f"{store.uri(prefix)} is named by the digest of the data, and somebody else has written there.",
            fix="Find out who writes to the bucket, and remove what is not yours.",
            key=foreign[0],
        )
    missing = [(key, entry) for key, entry in wanted.items() if stored.get(key) != entry[1].size_bytes]
    for key, _ in missing:
        if key in stored:
            store.delete(key)
    return [entry for _, entry in missing]


def _store_all(
    files: Sequence[tuple[InputFile, BlobRef]], prefix: str, store: Store, advance: Callable[[int], None]
) -> int:
    def put(entry: tuple[InputFile, BlobRef]) -> int:
        one, ref = entry
        return put_checked(store, f"{prefix}{one.name}", one.path, ref, sent=advance)

    if isinstance(store, EmbeddedStore) or len(files) < 2:
        return sum(put(entry) for entry in files)
    with ThreadPoolExecutor(max_workers=_PARALLEL_UPLOADS, thread_name_prefix="sm_remote-upload") as pool:
        try:
            return sum(pool.map(put, files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
