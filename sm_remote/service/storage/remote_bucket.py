"""A bucket of S3 as a place for channels and outputs, by boto3."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sm_remote.service.storage.downloads import download, open_stream, read_range
from sm_remote.service.storage.object_tree import StoredObject
from sm_remote.service.storage.objects import ObjectError, StoredStream

CONNECTIONS = 50
"""Enough for all downloads of two jobs at a time; botocore's own 10 would be opened and closed again and again."""


_DENIED = re.compile(
    r"\((?:403|AccessDenied|ExpiredToken|InvalidAccessKeyId|InvalidToken|SignatureDoesNotMatch)\)|locate credentials"
)


class RemoteBucket:
    """A bucket of S3, or of whatever AWS_ENDPOINT_URL names, with the credentials of boto3's own chain."""

    is_remote = True

    def __init__(self, client: Any, name: str, *, kms_key_id: str | None = None) -> None:
        self._client = client
        self._name = name
        # Source: API_OutputDataConfig, KmsKeyId. Without it the bucket's own encryption applies.
        self._put = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}

    def list_keys(self, prefix: str) -> Iterator[str]:
        """See `Bucket`."""
        return (stored.key for stored in self.list_objects(prefix))

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key begins with a string, in order of keys.

        Raises:
            ObjectError: S3 refuses.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        with translated_errors(f"s3://{self._name}/{prefix}", self._client):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield StoredObject(
                        key=item["Key"],
                        size_bytes=item["Size"],
                        etag=item["ETag"],
                        modified_at=item["LastModified"].timestamp(),
                    )

    def read_range(self, stored: StoredObject, offset: int, size_bytes: int) -> bytes:
        """Reads a part of an object that is still the one that was listed.

        Raises:
            ObjectError: It is not, or S3 refuses.
        """
        with translated_errors(f"s3://{self._name}/{stored.key}", self._client):
            return read_range(self._client, self._name, stored, offset, size_bytes)

    def read(self, key: str) -> bytes:
        """See `Bucket`."""
        with translated_errors(f"s3://{self._name}/{key}", self._client):
            body: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
            return body

    def stream(self, key: str) -> StoredStream:
        """See `Bucket`."""
        uri = f"s3://{self._name}/{key}"
        with translated_errors(uri, self._client):
            size_bytes, chunks = open_stream(self._client, self._name, key)
        return StoredStream(size_bytes=size_bytes, chunks=_translate(uri, self._client, chunks))

    def place(self, key: str, target: Path, go_on: Callable[[], None]) -> None:
        """See `Bucket`."""
        self.copy(key, target, go_on)
        target.chmod(0o644)

    def copy(self, key: str, target: Path, go_on: Callable[[], None]) -> None:
        """See `Bucket`."""
        with translated_errors(f"s3://{self._name}/{key}", self._client):
            download(self._client, self._name, key, target, go_on)

    def publish(self, source: Path, key: str) -> None:
        """See `Bucket`."""
        with translated_errors(f"s3://{self._name}/{key}", self._client):
            self._client.upload_file(str(source), self._name, key, ExtraArgs=self._put)

    def delete(self, key: str) -> None:
        """See `Bucket`."""
        with translated_errors(f"s3://{self._name}/{key}", self._client):
            self._client.delete_object(Bucket=self._name, Key=key)

    def find_directory(self, prefix: str) -> Path | None:
        """See `Bucket`; S3 has no directories."""
        return None


def _translate(uri: str, client: Any, chunks: Iterator[bytes]) -> Iterator[bytes]:
    with translated_errors(uri, client):
        yield from chunks


@contextmanager
def translated_errors(what: str, client: Any = None) -> Iterator[None]:
    """Turns whatever boto3 raises into an `ObjectError` that names the object, and who asked where that matters."""
    # Imported here: no job of the embedded store needs it.
    import boto3.exceptions
    import botocore.exceptions

    foreign = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, boto3.exceptions.Boto3Error)
    try:
        yield
    except (*foreign, OSError) as error:
        raise ObjectError(f"{what}: {error}{_name_caller(str(error), client)}") from error


def _name_caller(failure: str, client: Any) -> str:
    """Whose access was denied: the access key, and where boto3 found it. Never its secret."""
    if not _DENIED.search(failure):
        return ""
    # botocore tells nobody in public which credentials a client has.
    found = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    if found is None:
        return ". The service looks for credentials where boto3 does, in the environment that it was started in"
    return f" (asked with the access key {found.access_key}, found by: {found.method})"


def make_s3_client() -> Any:
    """An S3 client with boto3's own chain of credentials and endpoints."""
    import boto3.session
    import botocore.config

    # Not boto3's default session, which threads must not share.
    config = botocore.config.Config(max_pool_connections=CONNECTIONS)
    return boto3.session.Session().client("s3", config=config)
