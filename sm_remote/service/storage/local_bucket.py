"""The embedded store as a place for channels and outputs: by hard link and rename.

Its objects are never rewritten and the job sees them through a read-only mount, so a link is as good as a copy.
Whatever lies on another filesystem is copied.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sm_remote.errors import StorageError
from sm_remote.home import LOCAL_BUCKET, Home, make_private
from sm_remote.service.storage.objects import ObjectError, StoredStream
from sm_remote.storage.embedded import EmbeddedStore

_CHUNK_BYTES = 1 << 20


class LocalBucket:
    """The embedded store's bucket."""

    is_remote = False

    def __init__(self, home: Home) -> None:
        self._store = EmbeddedStore(home.store, bucket=LOCAL_BUCKET)
        self._root = home.store / LOCAL_BUCKET
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

    def stream(self, key: str) -> StoredStream:
        """See `Bucket`."""
        with _explained(key):
            path = self._store.fetch(key)
            return StoredStream(size_bytes=path.stat().st_size, chunks=_read_chunks(path, key))

    def place(self, key: str, target: Path, go_on: Callable[[], None]) -> None:
        """See `Bucket`."""
        with _explained(key):
            link_or_copy(self._store.local_path(key), target)

    def copy(self, key: str, target: Path, go_on: Callable[[], None]) -> None:
        """See `Bucket`."""
        with _explained(key):
            shutil.copyfile(self._store.fetch(key), target, follow_symlinks=False)

    def publish(self, source: Path, key: str) -> None:
        """See `Bucket`."""
        with _explained(key):
            target = self._store.local_path(key)
            try:
                self._move(source, target)
            except FileNotFoundError:
                # The directory was empty, and whoever deleted its last object took it away at this moment.
                self._move(source, target)

    def _move(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        move_or_copy(source, target, self._incoming)

    def delete(self, key: str) -> None:
        """See `Bucket`. Directories that it leaves empty go, too: an object may want their name."""
        with _explained(key):
            self._store.delete(key)
            directory = self._store.local_path(key).parent
            while directory not in (self._root, *self._root.parents):
                try:
                    directory.rmdir()
                except OSError:
                    return
                directory = directory.parent

    def find_directory(self, prefix: str) -> Path | None:
        """See `Bucket`."""
        with _explained(prefix):
            directory = self._store.local_path(prefix.rstrip("/"))
            return directory if prefix.endswith("/") and directory.is_dir() else None


def _read_chunks(path: Path, key: str) -> Iterator[bytes]:
    with _explained(key), path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


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
