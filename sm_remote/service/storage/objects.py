"""Where channels come from and outputs go: what a place for objects can do, and how it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sm_remote.home import LOCAL_BUCKET


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


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredStream:
    """An object that is read piece by piece.

    Attributes:
        size_bytes: All of it.
        chunks: Its content; may raise `ObjectError`.
    """

    size_bytes: int
    chunks: Iterator[bytes]


class Bucket(Protocol):
    """The few things that a job's inputs and outputs ask of a place for objects; all raise `ObjectError`."""

    @property
    def is_remote(self) -> bool:
        """Whether each call waits for the network, so that several at a time are faster."""

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Every key that begins with a string, in order."""

    def read(self, key: str) -> bytes:
        """An object's whole content."""

    def stream(self, key: str) -> StoredStream:
        """An object's content, of which little is in memory at a time."""

    def place(self, key: str, target: Path, go_on: Callable[[], None]) -> None:
        """Makes an object a file that nobody may write; its directory exists, the file does not.

        Args:
            key: The object's.
            target: The file.
            go_on: Called now and then where that takes long; what it raises ends it.
        """

    def copy(self, key: str, target: Path, go_on: Callable[[], None]) -> None:
        """Makes an object a file of its own, which may be written; else as `place`."""

    def publish(self, source: Path, key: str) -> None:
        """Makes a file an object, replacing one of this key; the file may be gone afterwards."""

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""

    def find_directory(self, prefix: str) -> Path | None:
        """The directory of this host that holds just the objects below a prefix, where there is one."""
