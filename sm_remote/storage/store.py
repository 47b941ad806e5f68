"""What a store is: objects under keys, written once and read whole.

Keys are relative to the store's root and mean the same in both stores, so what one refuses the other refuses too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sm_remote.errors import ConfigError, StorageError

Source = bytes | memoryview | Path
"""What can be stored: bytes, a contiguous view of memory (never copied), or a file (copied)."""

Sent = Callable[[int], None]
"""Whoever wants to see how far a large write is."""


def ignore(_: int) -> None:
    """Nobody wants to see it."""


MAX_KEY_BYTES = 1024
"""Source: Amazon S3 User Guide, "Naming Amazon S3 objects"."""

_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)

NO_CREDENTIALS = "NoCredentials"
"""The ``code`` of a `StorageError` where S3 was not asked at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectInfo:
    """One object of a store.

    Attributes:
        key: Below the store's root.
        size_bytes: Of its content.
        version: Changes with the content: the ETag in S3, size and time of the file in the embedded store; empty where
            it was not asked for.
    """

    key: str
    size_bytes: int
    version: str = ""


class Store(Protocol):
    """Objects below one root. Every method raises `StorageError` when the store cannot be read or written."""

    @property
    def root_uri(self) -> str:
        """``s3://bucket`` or ``s3://bucket/prefix``, without a slash at the end."""

    def uri(self, key: str) -> str:
        """Spells an object's place as SageMaker requests do."""

    def put_if_absent(self, key: str, source: Source, *, sent: Sent = ignore) -> bool:
        """Writes an object that is not there yet, whole or not at all.

        Args:
            key: Where.
            source: Its content.
            sent: Told how many bytes were written, each time that some were, from any thread; more than there are
                where a part had to be repeated.

        Returns:
            Whether this call wrote it; of several at once exactly one is told True.
        """

    def get(self, key: str) -> bytes:
        """Reads a small object into memory."""

    def fetch(self, key: str) -> Path:
        """Gives an object as a local file that nobody may write: the object itself or a copy in the cache."""

    def head(self, key: str) -> ObjectInfo | None:
        """Looks whether an object is there."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Lists the objects whose key starts with a text, in the order of their keys' UTF-8 bytes."""

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Splits ``s3://bucket/prefix`` into bucket and prefix (without slashes around it; may be empty).

    Raises:
        ConfigError: It is not such a URI.
    """
    match = _S3_URI.fullmatch(uri)
    if match is None:
        raise ConfigError(
            f"{uri!r} is not the URI of a place in S3.",
            why="It must read s3://bucket or s3://bucket/prefix, the bucket in lower-case letters, digits, - and . .",
            fix="Correct s3_root_uri; leave it out to use the default.",
            uri=uri,
        )
    prefix = (match[2] or "").strip("/")
    if prefix:
        check_key(prefix)
    return match[1], prefix


def check_key(key: str) -> str:
    """Returns a key that both stores can hold.

    Raises:
        StorageError: It is empty, too long, or could name a place outside the store.
    """
    reason = _fault_of_key(key)
    if reason:
        raise refuse_key(key, reason)
    return key


def check_prefix(prefix: str) -> str:
    """Returns what `Store.list` may be asked for: the start of a key, or nothing."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def refuse_key(key: str, reason: str) -> StorageError:
    """Builds the error for a key that cannot be used."""
    return StorageError(
        f"The store refuses the key {key!r}.",
        why=f"{reason}.",
        fix="Use names separated by single slashes, none of them '.' or '..'.",
        key=key,
    )


def _fault_of_key(key: str) -> str:
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "It is not valid Unicode"
    if len(encoded) > MAX_KEY_BYTES:
        return f"It has {len(encoded)} bytes, S3 allows {MAX_KEY_BYTES}"
    if b"\0" in encoded:
        return "It contains a NUL character"
    parts = key.split("/")
    if "" in parts:
        return "It is empty, absolute, or has an empty part"
    if "." in parts or ".." in parts:
        return "A part of it is '.' or '..'"
    if any(len(part.encode()) > 255 for part in parts):
        return "A part of it has more than 255 bytes, which no file name may have"
    return ""
