"""Objects in S3, or in any server that speaks its API, through a boto3 client that the caller made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from botocore.exceptions import ClientError

from sm_remote.errors import StorageError
from sm_remote.home import make_private
from sm_remote.storage.s3_errors import CONDITION_FAILED, CONFLICT, NOT_FOUND, code_of, translated_errors
from sm_remote.storage.s3_upload import PART_BYTES, ViewReader, checksum_of, upload_parts
from sm_remote.storage.source import open_view
from sm_remote.storage.store import ObjectInfo, Sent, Source, check_key, check_prefix, ignore

_ATTEMPTS = 3


class S3Store:
    """Objects below a prefix of a bucket.

    Args:
        client: A boto3 client for S3.
        bucket: Its bucket.
        prefix: Below the bucket, without slashes around it; may be empty.
        cache_dir: Where downloads are kept.
    """

    def __init__(self, client: Any, *, bucket: str, prefix: str, cache_dir: Path) -> None:
        self._client = client
        self._prefix = f"{prefix}/" if prefix else ""
        self._root_uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self._bucket = {"Bucket": bucket}
        self._cache_dir = cache_dir

    @property
    def root_uri(self) -> str:
        """``s3://bucket[/prefix]``."""
        return self._root_uri

    def uri(self, key: str) -> str:
        """Spells an object's place as SageMaker requests do."""
        return f"{self._root_uri}/{key}"

    def put_if_absent(self, key: str, source: Source, *, sent: Sent = ignore) -> bool:
        """Writes an object that is not there yet; see `Store.put_if_absent`."""
        address = self._address(key)
        with open_view(source) as view, translated_errors("written", self.uri(key)):
            if len(view) > PART_BYTES and self.head(key) is not None:
                return False
            for _ in range(_ATTEMPTS):
                written = self._put_once(view, address, sent)
                if written is not None:
                    return written
        raise StorageError(
            f"The object {self.uri(key)} could not be written.",
            why=f"Another writer was in the way {_ATTEMPTS} times.",
            fix="Repeat the call.",
            uri=self.uri(key),
        )

    def get(self, key: str) -> bytes:
        """Reads a small object into memory."""
        with translated_errors("read", self.uri(key)):
            body: bytes = self._client.get_object(**self._address(key))["Body"].read()
        return body

    def fetch(self, key: str) -> Path:
        """Downloads an object unless this version of it lies in the cache."""
        address = self._address(key)
        with translated_errors("read", self.uri(key)):
            head = self._client.head_object(**address)
            path = self._cached_path(key, head["ETag"])
            if not path.exists() or path.stat().st_size != head["ContentLength"]:
                self._download(address, path)
        return path

    def head(self, key: str) -> ObjectInfo | None:
        """Looks whether an object is there."""
        with translated_errors("read", self.uri(key)):
            try:
                answer = self._client.head_object(**self._address(key))
            except ClientError as error:
                if code_of(error) in NOT_FOUND:
                    return None
                raise
        return ObjectInfo(key=key, size_bytes=answer["ContentLength"])

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Lists objects by the start of their key, in the order of its UTF-8 bytes."""
        check_prefix(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(**self._bucket, Prefix=self._prefix + prefix)
        with translated_errors("listed", self.uri(prefix)):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield ObjectInfo(
                        key=item["Key"][len(self._prefix) :], size_bytes=item["Size"], version=item["ETag"].strip('"')
                    )

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""
        with translated_errors("deleted", self.uri(key)):
            self._client.delete_object(**self._address(key))

    def _address(self, key: str) -> dict[str, str]:
        return {**self._bucket, "Key": self._prefix + check_key(key)}

    def _put_once(self, view: memoryview, address: dict[str, str], sent: Sent) -> bool | None:
        """Writes; None when another writer was in the way and it is unknown who won."""
        try:
            if len(view) > PART_BYTES:
                condition = self._condition("CompleteMultipartUpload")
                upload_parts(self._client, view, address=address, condition=condition, sent=sent)
            else:
                self._client.put_object(
                    **address,
                    Body=ViewReader(view),
                    ContentLength=len(view),
                    ChecksumSHA256=checksum_of(view),
                    **self._condition("PutObject"),
                )
                sent(len(view))
        except ClientError as error:
            if code_of(error) in CONDITION_FAILED:
                return False
            if code_of(error) in CONFLICT:
                return None
            raise
        return True

    def _condition(self, operation: str) -> dict[str, str]:
        # botocore before 1.35 does not know it; then the last writer wins, with the same bytes for a blob.
        shape = self._client.meta.service_model.operation_model(operation).input_shape
        return {"IfNoneMatch": "*"} if "IfNoneMatch" in shape.members else {}

    def _cached_path(self, key: str, etag: str) -> Path:
        name = sha256(f"{self.uri(key)}\0{etag}".encode()).hexdigest()
        return self._cache_dir / name[:2] / name

    def _download(self, address: dict[str, str], path: Path) -> None:
        make_private(path.parent)
        directory = Path(mkdtemp(dir=self._cache_dir, prefix=".download-"))
        try:
            temporary = directory / "object"
            self._transfer(address, temporary)
            temporary.chmod(0o444)
            temporary.replace(path)
        finally:
            for left in directory.iterdir():
                os.unlink(left)
            directory.rmdir()

    def _transfer(self, address: dict[str, str], path: Path) -> None:
        from boto3.s3.transfer import TransferConfig

        # "auto" takes the CRT client on some EC2 types, and that one forgets the client's endpoint_url.
        config = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, preferred_transfer_client="classic"
        )
        self._client.download_file(address["Bucket"], address["Key"], str(path), Config=config)
