"""Where channels come from and outputs go: the embedded store, by hard link and rename, or S3, by boto3.

The embedded store's objects are never rewritten and the job sees them through a read-only mount, so a link is as good
as a copy. Whatever lies on another filesystem is copied.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sm_remote.errors import StorageError
from sm_remote.home import LOCAL_BUCKET, Home, make_private
from sm_remote.storage.embedded import EmbeddedStore


class ObjectError(Exception):
    """An object or a bucket cannot be read or written; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectUri:
    """An ``s3://`` URI in its parts."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def join(self, *parts: str) -> ObjectUri:
        """The URI of something below this one."""
        return ObjectUri(bucket=self.bucket, key="/".join(filter(None, (self.key.rstrip("/"), *parts))))


def parse_uri(text: str) -> ObjectUri:
    """Reads an ``s3://bucket/key`` URI.

    Raises:
        ValueError: It is none, or its key climbs out of its bucket.
    """
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{text} is not an s3://bucket/key URI.")
    if bucket == LOCAL_BUCKET and not is_plain_path(key):
        raise ValueError(f"{text} holds a part that cannot be a file of the embedded store.")
    return ObjectUri(bucket=bucket, key=key)


def is_plain_path(key: str) -> bool:
    """Whether a key can be a relative path that stays where it is put."""
    return not key.startswith("/") and "\0" not in key and not {"..", "."} & set(key.split("/"))


class Bucket(Protocol):
    """The few things that a job's inputs and outputs ask of a place for objects; all raise `ObjectError`."""

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Every key that begins with a string, in order."""

    def read(self, key: str) -> bytes:
        """An object's whole content."""

    def place(self, key: str, target: Path) -> None:
        """Makes an object a file; its directory exists, the file does not."""

    def publish(self, source: Path, key: str) -> None:
        """Makes a file an object, replacing one of this key; the file may be gone afterwards."""

    def find_directory(self, prefix: str) -> Path | None:
        """The directory of this host that holds just the objects below a prefix, where there is one."""


class LocalBucket:
    """The embedded store's bucket."""

    def __init__(self, home: Home) -> None:
        self._store = EmbeddedStore(home.store, bucket=LOCAL_BUCKET)
        self._incoming = home.store / ".incoming"

    def list_keys(self, prefix: str) -> Iterator[str]:
        """See `Bucket`."""
        with _explained(prefix):
            for info in self._store.list(prefix):
                yield info.key

    def read(self, key: str) -> bytes:
        """See `Bucket`."""
        with _explained(key):
            return self._store.get(key)

    def place(self, key: str, target: Path) -> None:
        """See `Bucket`."""
        with _explained(key):
            link_or_copy(self._store.local_path(key), target)

    def publish(self, source: Path, key: str) -> None:
        """See `Bucket`."""
        with _explained(key):
            target = self._store.local_path(key)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            move_or_copy(source, target, self._incoming)

    def find_directory(self, prefix: str) -> Path | None:
        """See `Bucket`."""
        with _explained(prefix):
            directory = self._store.local_path(prefix.rstrip("/"))
            return directory if prefix.endswith("/") and directory.is_dir() else None


class RemoteBucket:
    """A bucket of S3, or of whatever AWS_ENDPOINT_URL names, with the credentials of boto3's own chain."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def list_keys(self, prefix: str) -> Iterator[str]:
        """See `Bucket`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        with _translated(f"s3://{self._name}/{prefix}"):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"]

    def read(self, key: str) -> bytes:
        """See `Bucket`."""
        with _translated(f"s3://{self._name}/{key}"):
            body: bytes = self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
            return body

    def place(self, key: str, target: Path) -> None:
        """See `Bucket`."""
        with _translated(f"s3://{self._name}/{key}"):
            self._client.download_file(self._name, key, str(target))
        target.chmod(0o444)

    def publish(self, source: Path, key: str) -> None:
        """See `Bucket`."""
        with _translated(f"s3://{self._name}/{key}"):
            self._client.upload_file(str(source), self._name, key)

    def find_directory(self, prefix: str) -> Path | None:
        """See `Bucket`; S3 has no directories."""
        return None


class Buckets:
    """Finds the place that a URI names.

    Args:
        home: Where the embedded store is.
        make_client: Makes an S3 client; called when the first URI of another bucket comes.
    """

    def __init__(self, home: Home, make_client: Callable[[], Any]) -> None:
        self._local = LocalBucket(home)
        self._make_client = make_client
        self._client: Any = None

    def find(self, uri: ObjectUri) -> Bucket:
        """The bucket of a URI."""
        if uri.bucket == LOCAL_BUCKET:
            return self._local
        if self._client is None:
            with _translated(str(uri)):
                self._client = self._make_client()
        return RemoteBucket(self._client, uri.bucket)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turns whatever boto3 raises into an `ObjectError` that names the object."""
    # Imported here: no job of the embedded store needs it.
    import boto3.exceptions
    import botocore.exceptions

    foreign = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, boto3.exceptions.Boto3Error)
    try:
        yield
    except (*foreign, OSError) as error:
        raise ObjectError(f"{what}: {error}") from error


def make_s3_client() -> Any:
    """An S3 client with boto3's own chain of credentials and endpoints."""
    import boto3.session

    # Not boto3's default session, which threads must not share.
    return boto3.session.Session().client("s3")


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-links a file, or copies it where a link is not possible."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target, follow_symlinks=False)
        target.chmod(0o444)


def move_or_copy(source: Path, target: Path, incoming: Path) -> None:
    """Makes a file appear under another name at once and whole, readable only.

    Args:
        source: A regular file, gone afterwards where it could be moved.
        target: On the filesystem of ``incoming``.
        incoming: A directory for unfinished copies.
    """
    try:
        os.chmod(source, 0o444)
        os.rename(source, target)
    except OSError as error:
        # Another filesystem, or another user's file: a copy is ours.
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EACCES):
            raise
        make_private(incoming)
        descriptor, name = tempfile.mkstemp(dir=incoming)
        os.close(descriptor)
        shutil.copyfile(source, name, follow_symlinks=False)
        os.chmod(name, 0o444)
        os.rename(name, target)


@contextmanager
def _explained(key: str) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise ObjectError(" ".join((error.what, error.why)) if error.what else str(error)) from error
    except OSError as error:
        raise ObjectError(f"s3://{LOCAL_BUCKET}/{key}: {error.strerror or error}") from error
