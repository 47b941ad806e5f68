"""A value is taken as soon as our own runtime says that it is there, some 30 ms before its container has ended.

The line that says so is a reason to look, never trusted by itself. Until its end a container may change whatever lies
below its mounts, so nothing here follows a path through them: directories are opened one in the other, links refused,
and the outcome is moved to where no container sees it before anything is done with it. A job that left anything else,
such as a model, is collected after its end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sm_remote.home import make_private
from sm_remote.service.hosts.working_tree import WorkingTree, remove_tree
from sm_remote.wire.layout import OUTCOME
from sm_remote.wire.marker import MARKER_PREFIX, parse_marker
from sm_remote.wire.outcome import read_header

_PREFIX = MARKER_PREFIX.encode()
_OURS, _FILE = OUTCOME.split("/")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFOLLOWED = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def build_value_test(request: Mapping[str, Any], tree: WorkingTree) -> Callable[[bytes], bool]:
    """Makes the test whether a log line announces a value (not an exception) that is really there."""
    arguments = request["AlgorithmSpecification"].get("ContainerArguments", ())
    manifest_digest = arguments[-1] if arguments else ""

    def is_value(line: bytes) -> bool:
        if _PREFIX not in line or not manifest_digest:
            return False
        reference = parse_marker(line.decode("utf-8", "replace"), manifest_digest)
        try:
            return reference is not None and _holds_value(tree, reference.size_bytes)
        except Exception:  # noqa: BLE001 - the job wrote the file; whatever is wrong with it, it is no value
            return False

    return is_value


def take_outcome(tree: WorkingTree) -> bool:
    """Moves the outcome to `WorkingTree.taken` if it is all that the job left; whether it was moved.

    False is no failure: the container's end is waited for then, after which nothing can change any more.
    """
    taken = tree.taken
    try:
        with _open_output(tree.root) as (data, ours):
            if os.listdir(tree.model) or os.listdir(data) != [_OURS] or os.listdir(ours) != [_FILE]:
                return False
            remove_tree(taken.root)
            for directory in (taken.root, taken.model, taken.outcome.parent):
                make_private(directory)
            os.rename(_FILE, taken.outcome, src_dir_fd=ours)
    except OSError:  # another user's directory, or one that was swapped
        return False
    # Only here is it beyond the job's reach: what was looked at before may have been something else.
    if _is_plain(taken.outcome.lstat()):
        return True
    remove_tree(taken.root)
    return False


def _holds_value(tree: WorkingTree, size_bytes: int) -> bool:
    with _open_output(tree.root) as (_, ours):
        descriptor = os.open(_FILE, _UNFOLLOWED, dir_fd=ours)
        try:
            status = os.fstat(descriptor)
            if not _is_plain(status) or status.st_size != size_bytes:
                return False
            return read_header(os.dup(descriptor)).kind == "value"
        finally:
            os.close(descriptor)


def _is_plain(status: os.stat_result) -> bool:
    # A second name would mean that it may be a file from elsewhere.
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


@contextmanager
def _open_output(root: Path) -> Iterator[tuple[int, int]]:
    """Descriptors of the output data's directory and of ours in it. Above them no container can change anything."""
    with ExitStack() as opened:

        def open_in(name: str | Path, parent: int | None) -> int:
            descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
            opened.callback(os.close, descriptor)
            return descriptor

        data = open_in("data", open_in(root / "output", None))
        yield data, open_in(_OURS, data)
