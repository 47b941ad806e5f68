"""One way to look at everything that can be stored: a flat view of its bytes, without a copy."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sm_remote.errors import StorageError
from sm_remote.storage.store import Source
from sm_remote.wire.digest import flat_view


def size_of(source: Source) -> int:
    """Tells how many bytes a source has.

    Raises:
        StorageError: It is a file that cannot be read.
    """
    if isinstance(source, Path):
        try:
            return source.stat().st_size
        except OSError as error:
            raise unreadable_source(source, error) from error
    return memoryview(source).nbytes


@contextmanager
def open_view(source: Source) -> Iterator[memoryview]:
    """Shows a source as a view of single bytes; a file is mapped, not read.

    Raises:
        StorageError: It is a file that cannot be read.
    """
    if not isinstance(source, Path):
        yield flat_view(source)
    elif size_of(source) == 0:  # an empty file cannot be mapped
        yield memoryview(b"")
    else:
        with _map_file(source) as mapped, memoryview(mapped) as view:
            yield view


def unreadable_source(path: Path, error: OSError) -> StorageError:
    """Builds the error for a file that was to be stored and cannot be read."""
    return StorageError(
        f"The file {str(path)!r} cannot be stored.",
        why=f"Reading it failed: {error.strerror or error}.",
        fix="Check that it exists and that you may read it.",
        path=str(path),
    )


def _map_file(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise unreadable_source(path, error) from error
