"""Keys of objects as a tree of directories and files. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """One object, as a listing of its bucket shows it.

    Attributes:
        key: Its key.
        size_bytes: Its size.
        etag: Changes with its content.
        modified_at: Seconds since the epoch.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at: float


@dataclass(slots=True)
class Directory:
    """What lies directly in a directory, by name."""

    entries: dict[str, Directory | StoredObject] = field(default_factory=dict)


def build_tree(objects: Iterable[tuple[str, StoredObject]]) -> Directory:
    """Arranges objects by their paths.

    Raises:
        ValueError: A path cannot be one, or an object is in the way of another one.
    """
    root = Directory()
    for path, stored in objects:
        *parents, name = path.split("/")
        if {"", ".", ".."} & {*parents, name} or "\0" in path:
            raise ValueError(f"{stored.key} cannot be the name of a file")
        directory = root
        for parent in parents:
            inner = directory.entries.setdefault(parent, Directory())
            if not isinstance(inner, Directory):
                raise ValueError(f"{stored.key} lies below {inner.key}, which is an object itself")
            directory = inner
        if name in directory.entries:
            raise ValueError(f"{stored.key} has the name of a directory")
        directory.entries[name] = stored
    return root


def find_entry(root: Directory, path: str) -> Directory | StoredObject | None:
    """What lies at a path that begins with a slash."""
    found: Directory | StoredObject = root
    for name in filter(None, path.split("/")):
        inner = found.entries.get(name) if isinstance(found, Directory) else None
        if inner is None:
            return None
        found = inner
    return found
