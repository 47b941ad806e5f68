"""Prepares directories of this machine to be mounted: places for mounts inside mounts, and access for other users."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sm_remote.service.engines.engine import Mount


def make_mount_points(mounts: Iterable[Mount]) -> None:
    """Makes the empty directory at which a mount lies inside another one.

    A container runtime cannot make it where the outer mount is read-only, and where it can, root would own it.
    """
    outer: list[Mount] = []
    for mount in mounts:
        for other in reversed(outer):
            with suppress(ValueError):
                inside = PurePosixPath(mount.target).relative_to(other.target)
                (other.source / inside).mkdir(parents=True, exist_ok=True)
                break
        outer.append(mount)


def open_to_everyone(mounts: Iterable[Mount]) -> None:
    """Makes mounted directories readable, and writable where the mount is, for every user.

    Only what lies below a directory that others cannot enter may be given: a job's own.
    """
    for mount in mounts:
        _open_tree(mount.source, writable=not mount.read_only)


def _open_tree(root: Path, *, writable: bool) -> None:
    _grant(root, 0o777 if writable else 0o555)
    for directory, folders, files in os.walk(root):
        for name in folders:
            _grant(Path(directory, name), 0o777 if writable else 0o555)
        for name in files:
            _grant(Path(directory, name), 0o444)


def _grant(path: Path, wanted: int) -> None:
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    if mode & wanted != wanted and not path.is_symlink():
        path.chmod(mode | wanted)
