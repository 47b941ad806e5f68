"""Writes one generation: each file under a temporary name, synced and renamed, and the manifest last."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from sm_remote.checkpoints.layout import FILES, IGNORED, MANIFEST, STATE, is_bookkeeping
from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.payload import pickle_value


class GenerationWriter:
    """A generation that is not there yet, in a directory of its own.

    Attributes:
        files: What has been written so far, as the manifest has it.
    """

    def __init__(self, directory: Path) -> None:
        self.files: dict[str, BlobRef] = {}
        self._directory = directory
        directory.mkdir(mode=0o755)

    def write_state(self, state: Any, *, before_rename: Callable[[], None] = lambda: None) -> None:
        """Pickles a value; arrays are written from where they lie.

        Args:
            state: The value.
            before_rename: Called when it is written, under its temporary name.

        Raises:
            OSError: The disk is full.
            Exception: Whatever pickling raises.
        """
        path = self._directory / STATE
        temporary = path.with_name(path.name + IGNORED)
        with open(temporary, "wb") as file:
            pickle_value(state, file)
        before_rename()
        self.files[STATE] = _sync_and_digest(temporary)
        os.replace(temporary, path)
        _sync(self._directory)

    def take_files(self, staging: Path) -> None:
        """Moves what a framework has written here; the staging directory is empty afterwards."""
        folders = {self._directory}
        for source in list_files(staging):
            path = source.relative_to(staging)
            target = self._directory / FILES / path
            target.parent.mkdir(parents=True, exist_ok=True)
            folders |= {self._directory / FILES / parent for parent in path.parents}
            self.files[f"{FILES}/{path.as_posix()}"] = _sync_and_digest(source)
            os.replace(source, target)
        for folder in folders:
            _sync(folder)
        remove_tree(staging)
        staging.mkdir()

    def publish(self, manifest: bytes) -> None:
        """Writes the manifest: from now on the generation is there."""
        write_file(self._directory / MANIFEST, manifest)
        _sync(self._directory.parent)

    def discard(self) -> None:
        """Leaves nothing behind."""
        remove_tree(self._directory)


def write_file(path: Path, content: bytes) -> None:
    """Writes a small file, whole or not at all."""
    with write_atomically(path) as file:
        file.write(content)


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name once it is whole and on the disk; else no trace of it is left."""
    temporary = path.with_name(path.name + IGNORED)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync(path.parent)


def list_files(directory: Path) -> list[Path]:
    """All files below a directory that are no bookkeeping, in the order of their names."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.rglob("*") if path.is_file() and not is_bookkeeping(path.name))


def remove_tree(directory: Path) -> None:
    """Removes a directory, of a generation the manifest first; what is gone already is no error."""
    with suppress(OSError):
        (directory / MANIFEST).unlink()
    shutil.rmtree(directory, ignore_errors=True)


def _sync_and_digest(path: Path) -> BlobRef:
    """Has a file on the disk, and hashes what is in it meanwhile: the processor waits for the disk anyway.

    What is hashed is the file, not the memory that it was written from, which another thread may have changed since.
    """
    found: list[str] = []
    hashing = threading.Thread(target=lambda: found.append(digest_file(path)), daemon=True)
    try:
        hashing.start()
    except RuntimeError:  # the container's limit of threads is reached
        found.append(digest_file(path))
    try:
        _sync(path)
    finally:
        if hashing.ident is not None:
            hashing.join()
    if not found:
        raise OSError(f"{path} could not be read again")
    return BlobRef(digest=found[0], size_bytes=path.stat().st_size)


def _sync(path: Path) -> None:
    """Has a file or a directory on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
