"""Finds installed files that are not what their installer recorded.

RECORD holds size and SHA-256 of each file. Every file's size is compared; a file that was written after its RECORD
(installers write that last) is hashed too. So an untouched environment costs one stat a file, and what this cannot see
is only an edit that keeps the size and sets the time back.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from sm_remote.capture.distributions import Distribution, read_index

VERIFIED_FOR_S = 10.0
"""How long a finding holds: the calls of one ``map`` look once."""
_SLACK_NS = 2_000_000_000
_NOT_CHECKED = ("/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json", "/uv_cache.json", ".pyc")

_found: dict[tuple[Path, str, str], tuple[float, tuple[str, ...]]] = {}


def find_alterations(
    one: Distribution, *, folder: Path | None = None, clock: Callable[[], float] = time.monotonic
) -> tuple[str, ...]:
    """The names of a distribution's files that were altered or removed after it was installed; sorted.

    What has no RECORD with sizes (conda's, Debian's, old setuptools') cannot be checked, and counts as unaltered.

    Args:
        one: The distribution.
        folder: Another place where its files are, such as a layer.
        clock: For how long a finding holds.
    """
    folder = folder or one.folder
    key = (folder, one.key, one.record_sha256)
    known = _found.get(key)
    if known is not None and clock() - known[0] < VERIFIED_FOR_S:
        return known[1]
    altered = _look(one, f"{folder}{os.sep}")
    _found[key] = (clock(), altered)
    return altered


def forget_findings() -> None:
    """Has every distribution looked at again."""
    _found.clear()


def _look(one: Distribution, folder: str) -> tuple[str, ...]:
    rows = _checkable(one.record)
    if not rows:
        return ()
    recorded_ns = _recorded_ns(one)
    altered = []
    for name, digest, size_bytes in rows:
        try:
            status = os.stat(folder + name)
        except OSError:
            altered.append(name)
            continue
        if status.st_size != size_bytes or (
            status.st_mtime_ns > recorded_ns and not _has_digest(Path(folder + name), digest)
        ):
            altered.append(name)
    return tuple(sorted(name for name in altered if not _belongs_to_another(name, one)))


def _belongs_to_another(name: str, one: Distribution) -> bool:
    """Whether another distribution brings the same file: the one that was installed last has it (``tests/x.py``)."""
    others = (other for other in read_index().by_name.values() if other.folder == one.folder and other.key != one.key)
    return any(f"\n{name}," in f"\n{other.record}" for other in others)


@functools.lru_cache(maxsize=1024)
def _checkable(record: str) -> tuple[tuple[str, str, int], ...]:
    """Name, digest and size of the files that can be checked."""
    return tuple(
        (row[0], row[1], int(row[2]))
        for row in csv.reader(record.splitlines())
        if len(row) > 2 and row[1].startswith("sha256=") and row[2].isdigit() and _is_checked(row[0])
    )


def _is_checked(name: str) -> bool:
    return not name.endswith(_NOT_CHECKED) and ".." not in name and not name.startswith("/")


def _recorded_ns(one: Distribution) -> int:
    path = one.info_folder
    try:
        return os.stat(path / "RECORD").st_mtime_ns + _SLACK_NS if path is not None else 0
    except OSError:
        return 0


def _has_digest(path: Path, wanted: str) -> bool:
    digest = hashlib.sha256(path.read_bytes()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}" == wanted
