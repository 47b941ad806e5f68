"""The embedded store: a directory of this machine that client and service open directly.

An object is one file, ``<store>/<bucket>/<prefix>/<key>``, written once and never changed: jobs read it through hard
links and memory maps, so a file that changed in place would change under them. Nothing is fsynced: at worst a power
cut leaves an object with the wrong size or bytes, which `put_blob` replaces and every reader detects.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

from sm_remote.errors import StorageError
from sm_remote.home import make_private
from sm_remote.storage.source import open_view
from sm_remote.storage.store import ObjectInfo, Sent, Source, check_key, check_prefix, ignore, refuse_key

_WRITE_BYTES = 8 * 1024 * 1024
_STALE_S = 24 * 3600


class EmbeddedStore:
    """Objects as files below a private directory.

    Args:
        directory: The store's directory, made when first written to; only its owner may enter.
        bucket: The reserved bucket, a directory below it.
        prefix: Below the bucket, without slashes around it; may be empty.
        clock: Seconds since the epoch, to tell files that a killed writer left behind.
    """

    def __init__(
        self, directory: Path, *, bucket: str, prefix: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._directory = directory
        self._root = directory.joinpath(bucket, *prefix.split("/")) if prefix else directory / bucket
        self._root_uri = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self._clock = clock
        self._is_swept = False

    @property
    def root_uri(self) -> str:
        """``s3://bucket[/prefix]``."""
        return self._root_uri

    def uri(self, key: str) -> str:
        """Spells an object's place as SageMaker requests do."""
        return f"{self._root_uri}/{key}"

    def local_path(self, key: str) -> Path:
        """Tells where an object's file is or would be.

        Raises:
            StorageError: The key could name a place outside the store.
        """
        return self._root / check_key(key)

    def put_if_absent(self, key: str, source: Source, *, sent: Sent = ignore) -> bool:
        """Writes an object that is not there yet; see `Store.put_if_absent`."""
        target = self.local_path(key)
        with open_view(source) as view, self._translated("written", key):
            if os.path.lexists(target):
                return _refuse_directory(target)
            temporary = self._write_temporary(view, sent)
            try:
                return self._publish(temporary, target)
            finally:
                temporary.unlink()

    def get(self, key: str) -> bytes:
        """Reads a small object into memory."""
        with self._translated("read", key):
            return self._require(key).read_bytes()

    def fetch(self, key: str) -> Path:
        """Gives the object's own file, which nobody may write."""
        with self._translated("read", key):
            return self._require(key)

    def head(self, key: str) -> ObjectInfo | None:
        """Looks whether an object is there."""
        with self._translated("read", key):
            status = self._status(key)
        return None if status is None else ObjectInfo(key=key, size_bytes=status.st_size)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Lists objects by the start of their key, in the order of its UTF-8 bytes."""
        check_prefix(prefix)
        start = self._root / prefix.rpartition("/")[0]
        with self._translated("listed", prefix):
            found = [info for info in self._walk(start) if info.key.startswith(prefix)]
        return iter(sorted(found, key=lambda info: info.key.encode()))

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""
        path = self.local_path(key)
        with self._translated("deleted", key):
            path.unlink(missing_ok=True)

    def _require(self, key: str) -> Path:
        if self._status(key) is None:
            raise FileNotFoundError(errno.ENOENT, "No such object")
        return self.local_path(key)

    def _status(self, key: str) -> os.stat_result | None:
        path = self.local_path(key)
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        # A job's output is moved into the store: a link in it must not show what lies elsewhere on this machine.
        if not stat.S_ISREG(status.st_mode) or not self._is_inside(path):
            return None
        return status

    def _is_inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(self._root))

    def _walk(self, start: Path) -> Iterator[ObjectInfo]:
        for directory, _, names in os.walk(start, onerror=_ignore_absence):
            for name in names:
                path = Path(directory, name)
                try:
                    status = path.lstat()
                except FileNotFoundError:  # deleted meanwhile
                    continue
                if stat.S_ISREG(status.st_mode):
                    key, version = path.relative_to(self._root).as_posix(), f"{status.st_mtime_ns:x}-{status.st_size:x}"
                    yield ObjectInfo(key=key, size_bytes=status.st_size, version=version)

    def _write_temporary(self, view: memoryview, sent: Sent) -> Path:
        incoming = _make_private_chain(self._directory, self._directory / ".incoming")
        if not self._is_swept:
            self._remove_stale(incoming)
            self._is_swept = True
        descriptor, name = mkstemp(dir=incoming)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                _write_all(file.fileno(), view, sent)
                os.fchmod(file.fileno(), 0o444)
        except BaseException:
            os.unlink(name)
            raise
        return Path(name)

    def _publish(self, temporary: Path, target: Path) -> bool:
        _make_private_chain(self._directory, target.parent)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return _refuse_directory(target)
        return True

    def _remove_stale(self, incoming: Path) -> None:
        for entry in os.scandir(incoming):
            try:
                if entry.stat().st_mtime < self._clock() - _STALE_S:
                    os.unlink(entry)
            except FileNotFoundError:  # its writer has finished
                continue

    @contextmanager
    def _translated(self, done: str, key: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            raise self._explain(error, done, key) from error

    def _explain(self, error: OSError, done: str, key: str) -> StorageError:
        if error.errno == errno.ENAMETOOLONG:
            return refuse_key(key, "It is too long for this file system")
        why, fix = _CAUSES.get(error.errno or 0, (error.strerror or str(error), "Look at the directory named above."))
        return StorageError(
            f"The object {self.uri(key)} could not be {done} (file {str(self._root / key)!r}).",
            why=f"{why}.",
            fix=fix.format(directory=self._directory),
            key=key,
            missing=error.errno == errno.ENOENT,
        )


_OTHER_PLACE = "Free space below {directory}, or set SM_REMOTE_HOME to a directory on another disk."
_CAUSES = {
    errno.ENOENT: ("There is no such object", "Check the key; the object may have been deleted."),
    errno.ENOSPC: ("The disk is full", _OTHER_PLACE),
    errno.EDQUOT: ("Your quota on this disk is used up", _OTHER_PLACE),
    errno.EACCES: ("Permission was denied", "Make {directory} yours: `chown -R $USER {directory}`."),
    errno.EROFS: ("The file system is read-only", "Set SM_REMOTE_HOME to a directory that can be written."),
    errno.EPERM: (
        "The file system allows no hard links, or the operation is not permitted",
        "Set SM_REMOTE_HOME to a directory on a local disk.",
    ),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EEXIST),
        ("A part of the key is an object itself", "Use another key: an object has nothing below it."),
    ),
    errno.EISDIR: ("Other objects lie below this key", "Use another key: an object has nothing below it."),
}


def _refuse_directory(target: Path) -> bool:
    """Tells a writer that the object is there (False), unless what is there is a directory."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return False


def _ignore_absence(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _write_all(descriptor: int, view: memoryview, sent: Sent) -> None:
    # One write() moves at most 2 GiB on Linux, and may move less.
    done = 0
    while done < len(view):
        written = os.write(descriptor, view[done : done + _WRITE_BYTES])
        done += written
        sent(written)


def _make_private_chain(top: Path, directory: Path) -> Path:
    """Creates a directory and those above it, down from the store's own, for the owner alone."""
    if directory == top:
        return make_private(top)
    if directory.is_dir():
        return directory
    _make_private_chain(top, directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory
