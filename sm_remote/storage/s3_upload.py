"""Uploads a view of memory in parts, without copying it, and only if nothing is there yet.

boto3's own transfer manager knows no If-None-Match, without which two writers would both succeed.
Source: API_CompleteMultipartUpload, "If-None-Match"; Amazon S3 User Guide, "Multipart upload limits".
"""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

from sm_remote.storage.store import Sent, ignore

PART_BYTES = 16 * 1024 * 1024
_MAX_PARTS = 10_000
_THREADS = min(8, (os.cpu_count() or 1) * 2)


class ViewReader(io.RawIOBase):
    """A seekable file over a view of memory; botocore sends it in blocks and rewinds it to retry."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Copies the next bytes into a buffer of the caller's."""
        block = self._view[self._position : self._position + len(buffer)]
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position counted from the start, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._view)}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Tells the position."""
        return self._position

    def __len__(self) -> int:
        return len(self._view)


def checksum_of(view: memoryview) -> str:
    """SHA-256 as S3's headers spell it; S3 compares it with what arrived."""
    return b64encode(sha256(view).digest()).decode()


def upload_parts(
    client: Any, view: memoryview, *, address: dict[str, str], condition: dict[str, str], sent: Sent = ignore
) -> None:
    """Uploads in parts and completes the upload under a condition; on failure no parts are left behind.

    Args:
        client: A boto3 client for S3.
        view: What to upload.
        address: Bucket and Key.
        condition: ``IfNoneMatch`` where the client knows it.
        sent: Told the size of each part that was uploaded.
    """
    started = client.create_multipart_upload(**address, ChecksumAlgorithm="SHA256")
    upload = {**address, "UploadId": started["UploadId"]}
    try:
        parts = _upload_each(lambda number, part: _upload_part(client, upload, number, part, sent), view)
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **condition)
    except BaseException:
        client.abort_multipart_upload(**upload)
        raise


def plan_parts(size_bytes: int) -> list[slice]:
    """Cuts a size into parts, larger ones where there would be too many."""
    step = max(PART_BYTES, -(-size_bytes // _MAX_PARTS))
    return [slice(start, min(start + step, size_bytes)) for start in range(0, size_bytes, step)]


def _upload_each(upload: Callable[[int, memoryview], dict[str, Any]], view: memoryview) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sm_remote-upload") as pool:
        futures = [pool.submit(upload, number, view[part]) for number, part in enumerate(plan_parts(len(view)), 1)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _upload_part(client: Any, upload: dict[str, str], number: int, part: memoryview, sent: Sent) -> dict[str, Any]:
    checksum = checksum_of(part)
    answer = client.upload_part(
        **upload, PartNumber=number, Body=ViewReader(part), ContentLength=len(part), ChecksumSHA256=checksum
    )
    sent(len(part))
    return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
