"""One object of S3, read to its end although the connection may break off.

As a file: in one request where that is enough, in several parts at a time where it is large. As a stream: from where
it broke off, of the very same object.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sm_remote.service.storage.object_tree import StoredObject

T = TypeVar("T")

_IN_PARTS_BYTES = 64 << 20
"""From here on several streams are faster than one."""
_PART_BYTES = 16 << 20
_PARTS_AT_A_TIME = 4
_CHUNK_BYTES = 1 << 20
_TRIES = 5
"""As often as boto3's own transfer tries. Source: boto3, TransferConfig.num_download_attempts."""


def download(client: Any, bucket: str, key: str, target: Path, go_on: Callable[[], None]) -> None:
    """Writes an object's content to a file; what ``go_on`` raises, called with every megabyte or so, ends it.

    Raises:
        ClientError: S3 refuses.
        BotoCoreError: The connection broke off again and again.
        OSError: The file cannot be written.
    """
    _try_again(lambda: _download_once(client, bucket, key, target, go_on))


def read_range(client: Any, bucket: str, stored: StoredObject, offset: int, size_bytes: int) -> bytes:
    """Reads a part of an object that is still the one that was listed.

    Raises:
        ClientError: It is not, or S3 refuses.
        BotoCoreError: The connection broke off again and again.
    """
    place = {"Range": f"bytes={offset}-{offset + size_bytes - 1}", "IfMatch": stored.etag}

    def read() -> bytes:
        content: bytes = client.get_object(Bucket=bucket, Key=stored.key, **place)["Body"].read()
        return content

    return _try_again(read)


def _try_again(work: Callable[[], T]) -> T:
    broken = _find_broken()
    for left in reversed(range(_TRIES)):
        try:
            return work()
        except broken:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def _find_broken() -> tuple[type[Exception], ...]:
    """What says that an answer broke off; botocore itself tries again only until its first byte has come."""
    # Imported here: no job of the embedded store needs it.
    from botocore.exceptions import (
        ConnectionClosedError,
        IncompleteReadError,
        ReadTimeoutError,
        ResponseStreamingError,
    )

    return ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError


def _download_once(client: Any, bucket: str, key: str, target: Path, go_on: Callable[[], None]) -> None:
    answer = client.get_object(Bucket=bucket, Key=key)
    with closing(answer["Body"]) as body, target.open("wb") as file:
        if answer["ContentLength"] <= _IN_PARTS_BYTES:
            _write(body, file.fileno(), 0, go_on)
            return
        body.close()
        address = {"Bucket": bucket, "Key": key, "IfMatch": answer["ETag"]}
        starts = range(0, answer["ContentLength"], _PART_BYTES)
        with ThreadPoolExecutor(_PARTS_AT_A_TIME, thread_name_prefix="part") as workers:
            parts = [workers.submit(_download_part, client, address, start, file.fileno(), go_on) for start in starts]
            try:
                for part in parts:
                    part.result()
            finally:
                for part in parts:
                    part.cancel()


def _download_part(client: Any, address: dict[str, str], start: int, file: int, go_on: Callable[[], None]) -> None:
    def work() -> None:
        # What lies beyond the object's end is not sent.
        answer = client.get_object(**address, Range=f"bytes={start}-{start + _PART_BYTES - 1}")
        with closing(answer["Body"]) as body:
            _write(body, file, start, go_on)

    go_on()
    _try_again(work)


def _write(body: Any, file: int, offset: int, go_on: Callable[[], None]) -> None:
    for chunk in body.iter_chunks(_CHUNK_BYTES):
        go_on()
        view = memoryview(chunk)
        while view:
            done = os.pwrite(file, view, offset)
            view, offset = view[done:], offset + done


def open_stream(client: Any, bucket: str, key: str) -> tuple[int, Iterator[bytes]]:
    """An object's size and content.

    Raises:
        ClientError: S3 refuses; while it is read, also because the object is another one by now.
        BotoCoreError: The connection broke off again and again; while it is read, too.
    """
    answer = client.get_object(Bucket=bucket, Key=key)
    return int(answer["ContentLength"]), _read_on(client, {"Bucket": bucket, "Key": key}, answer)


def _read_on(client: Any, address: dict[str, str], answer: Any) -> Iterator[bytes]:
    broken = _find_broken()
    etag, size_bytes, done, failures = answer["ETag"], answer["ContentLength"], 0, 0
    while True:
        try:
            with closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK_BYTES):
                    done += len(chunk)
                    failures = 0
                    yield chunk
        except broken:
            failures += 1
            if failures == _TRIES:
                raise
        if done >= size_bytes:
            return
        answer = client.get_object(**address, Range=f"bytes={done}-", IfMatch=etag)
