"""What a channel's pipe carries in one epoch, piece by piece.

Source: API_Channel (CompressionType, RecordWrapperType), API_ShuffleConfig; SageMaker Developer Guide, "Access Training
Data" and "Augmented Manifest Files for Training Jobs".
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sm_remote.service.channels.gzip_stream import decompress
from sm_remote.service.channels.inputs import list_inputs
from sm_remote.service.channels.manifests import Part, parse_augmented_manifest
from sm_remote.service.channels.record_io import build_header, build_padding
from sm_remote.service.channels.shards import Shard
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.objects import ObjectError, ObjectUri, StoredStream, parse_uri

_CHUNK_BYTES = 1 << 20
_IN_MEMORY_BYTES = 8 << 20


class PipeContent:
    """One channel as a host reads it in Pipe mode.

    Args:
        channel: As the request has it.
        shard: The host's part.
        buckets: Where the objects are.
    """

    def __init__(self, channel: Mapping[str, Any], shard: Shard, buckets: Buckets) -> None:
        self._shard = shard
        self._buckets = buckets
        self._is_gzip = channel.get("CompressionType", "None") == "Gzip"
        self._is_wrapped = channel.get("RecordWrapperType", "None") == "RecordIO"
        self._records = list(_list_records(channel["DataSource"]["S3DataSource"], buckets))

    def read_epoch(self, epoch: int) -> Iterator[bytes]:
        """Yields all bytes of an epoch.

        Raises:
            ObjectError: An object is not to be had, or not what the channel says that it is.
        """
        for record in self._shard.select(self._records, epoch):
            for part in record:
                yield from self._read_part(part)

    def _read_part(self, part: Part) -> Iterator[bytes]:
        if isinstance(part, bytes):
            yield from _wrap(len(part), [part]) if self._is_wrapped else [part]
            return
        stream = self._buckets.find(part).stream(part.key)
        try:
            yield from self._read_object(stream)
        except ValueError as error:
            raise ObjectError(f"{part}: {error}") from error

    def _read_object(self, stream: StoredStream) -> Iterator[bytes]:
        chunks = decompress(stream.chunks) if self._is_gzip else stream.chunks
        if not self._is_wrapped:
            yield from chunks
        elif self._is_gzip:
            yield from _wrap_of_unknown_size(chunks)
        else:
            yield from _wrap(stream.size_bytes, chunks)


def _list_records(source: Mapping[str, Any], buckets: Buckets) -> Iterator[tuple[Part, ...]]:
    """What is read together: an object, or the attributes of one line."""
    uri = parse_uri(source["S3Uri"])
    if source["S3DataType"] == "AugmentedManifestFile":
        content = buckets.find(uri).read(uri.key)
        yield from parse_augmented_manifest(content, source["AttributeNames"])
        return
    for item in list_inputs(source, buckets):
        yield (ObjectUri(bucket=item.bucket_name, key=item.key),)


def _wrap(size_bytes: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield build_header(size_bytes)
    yield from chunks
    yield build_padding(size_bytes)


def _wrap_of_unknown_size(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The size comes first, so everything is read before the first byte is written: on disk, if it is much."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
        for chunk in chunks:
            spool.write(chunk)
        size_bytes = spool.tell()
        spool.seek(0)
        yield from _wrap(size_bytes, iter(partial(spool.read, _CHUNK_BYTES), b""))
