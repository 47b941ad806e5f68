"""One object of S3 becomes a file: in one request where that is enough, in parts at a time where it is large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_IN_PARTS_BYTES = 64 << 20
"""From here on boto3's own transfer, which reads several ranges at a time, is faster than one stream."""
_CHUNK_BYTES = 1 << 20
_TRIES = 5
"""As often as boto3's own transfer tries. Source: boto3, TransferConfig.num_download_attempts."""


def download(client: Any, bucket: str, key: str, target: Path) -> None:
    """Writes an object's content to a file.

    Raises:
        ClientError: S3 refuses.
        BotoCoreError: The connection broke off again and again.
        OSError: The file cannot be written.
    """
    # Imported here: no job of the embedded store needs it.
    from botocore.exceptions import (
        ConnectionClosedError,
        IncompleteReadError,
        ReadTimeoutError,
        ResponseStreamingError,
    )

    for left in reversed(range(_TRIES)):
        try:
            _download_once(client, bucket, key, target)
        except (ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
            # botocore itself tries again only until the first byte of an answer has come.
            if not left:
                raise
        else:
            return


def _download_once(client: Any, bucket: str, key: str, target: Path) -> None:
    answer = client.get_object(Bucket=bucket, Key=key)
    body = answer["Body"]
    if answer["ContentLength"] > _IN_PARTS_BYTES:
        body.close()
        client.download_file(bucket, key, str(target))
        return
    with body, target.open("wb") as file:
        for chunk in body.iter_chunks(_CHUNK_BYTES):
            file.write(chunk)
