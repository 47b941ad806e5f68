"""Files that a container may change while they are read.

A container can put a link in the place of any file or directory of its own at any moment, so nothing here follows a
path: each directory is opened in the one above it, and links are refused. A link to a file of the same tree is read as
that file, under the name that it was resolved to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: it may be a pipe by now.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_LEVELS = 100
"""Deeper directories are not looked into: each level holds a descriptor, of which all jobs share the service's few."""
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file's content does; the time of its inode, too, because some copies set the other one."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFile:
    """A regular file, or a link to one of the same tree.

    Attributes:
        relative: Its path below the tree.
        source: Where its content is: for a link, another path below the tree.
        stamp: Of its content.
    """

    relative: str
    source: str
    stamp: Stamp


@dataclass(kw_only=True, slots=True)
class Scan:
    """What was found below a tree.

    Attributes:
        files: By their path.
        skipped: What was left out, and why: links that lead elsewhere, names that are no text.
        unreadable: Directories that could not be looked into; of what lies below them nothing is known.
    """

    files: dict[str, JobFile] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def knows_about(self, relative: str) -> bool:
        """Whether a path would have been found if there were something."""
        path = PurePosixPath(relative)
        return not self.unreadable or not any(str(parent) in self.unreadable for parent in path.parents)


def scan_tree(root: Path, inside: str) -> Scan:
    """Finds all files below a directory.

    Args:
        root: The directory on this host.
        inside: As the container knows it; absolute links begin with it.
    """
    scan = Scan()
    try:
        descriptor = os.open(root, _DIRECTORY)
    except OSError as error:
        scan.unreadable["."] = error.strerror or str(error)
        return scan
    links: dict[str, str] = {}
    try:
        _scan_directory(descriptor, PurePosixPath(), scan, links)
    finally:
        os.close(descriptor)
    for relative, target in links.items():
        source = _resolve(relative, target, inside)
        found = scan.files.get(source or "")
        if found is None:
            scan.skipped[relative] = f"a link to {target}, which is no file of {inside}"
        else:
            scan.files[relative] = JobFile(relative=relative, source=found.source, stamp=found.stamp)
    return scan


def _scan_directory(descriptor: int, relative: PurePosixPath, scan: Scan, links: dict[str, str]) -> None:
    with os.scandir(descriptor) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = str(relative / name)
        try:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if not _is_text(path):
                scan.skipped[ascii(path)] = "its name is not UTF-8"
            elif stat.S_ISREG(status.st_mode):
                scan.files[path] = JobFile(relative=path, source=path, stamp=_stamp(status))
            elif stat.S_ISLNK(status.st_mode):
                links[path] = os.readlink(name, dir_fd=descriptor)
            elif stat.S_ISDIR(status.st_mode) and len(relative.parts) >= _MOST_LEVELS:
                scan.unreadable[path] = f"it is nested more than {_MOST_LEVELS} directories deep"
            elif stat.S_ISDIR(status.st_mode):
                inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
                try:
                    _scan_directory(inner, relative / name, scan, links)
                finally:
                    os.close(inner)
        except OSError as error:
            if error.errno not in _GONE:
                scan.unreadable[path] = error.strerror or str(error)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _resolve(relative: str, target: str, inside: str) -> str | None:
    """The path of the tree that a link means, by its text alone."""
    if target.startswith(inside + "/"):
        within = os.path.normpath(target[len(inside) + 1 :])
    else:
        within = os.path.normpath(os.path.join(os.path.dirname(relative), target))
    return None if os.path.isabs(within) or within.split("/")[0] == ".." else within


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def read_stamp(descriptor: int) -> Stamp:
    """The stamp of an open file.

    Raises:
        FileNotFoundError: It is no regular file.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "No regular file")
    return _stamp(status)


@contextmanager
def open_directory(root: Path, relative: str) -> Iterator[int]:
    """Opens a directory below a tree, without following a link on the way."""
    descriptor = os.open(root, _DIRECTORY)
    try:
        for part in PurePosixPath(relative).parts:
            inner = os.open(part, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_file(root: Path, relative: str) -> Iterator[int]:
    """Opens a file below a tree for reading, without following a link on the way."""
    with open_directory(root, os.path.dirname(relative)) as parent:
        descriptor = os.open(os.path.basename(relative), _FILE, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_file_there(root: Path, relative: str) -> bool:
    """Whether a file bears a name: a directory that is read while files are renamed may leave one out."""
    try:
        with open_directory(root, os.path.dirname(relative)) as parent:
            status = os.stat(os.path.basename(relative), dir_fd=parent, follow_symlinks=False)
    except OSError as error:
        return error.errno not in _GONE
    return stat.S_ISREG(status.st_mode)


def is_open_for_writing(descriptor: int) -> bool:
    """Whether some process of this machine may still write to a file; False where that cannot be known.

    A read lease is refused for as long as the file is open for writing. Source: fcntl(2), "Leases".
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # Whoever opens the file at this very moment has us sent a signal, which would otherwise be a deadly one.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False
