"""The working directory as one archive: the same files give the same bytes, so they are sent once.

A plain tar: files keep their name, content and whether they are executable; owners and times are left out. Links to
folders inside the directory travel as links, others as what they lead to.
"""

from __future__ import annotations

import logging
import os
import stat
import tarfile
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from sm_remote.capture.file_filter import Ignore
from sm_remote.capture.sizes import render_size
from sm_remote.capture.spool import Spool
from sm_remote.errors import CaptureError, ConfigError

_logger = logging.getLogger("sm_remote")

MOST_ENTRIES = 100_000
_NAMED = 5
_COPY_BYTES = 1 << 20
_FORMAT: Any = {"format": tarfile.GNU_FORMAT, "encoding": "utf-8", "errors": "surrogateescape"}
_ALWAYS_LEFT_OUT = frozenset({"__pycache__"})
"""Each import rewrites it, and the job's Python makes its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file, folder or link of the working directory.

    Attributes:
        name: Below the directory, with slashes.
        path: Where its content is.
        mode: Of the file that is there.
        size_bytes: Of a file's content.
        link: Where a link leads; None for all else.
        stamp: Changes with every change of a file: its inode and its times.
    """

    name: str
    path: Path
    mode: int
    size_bytes: int = 0
    link: str | None = None
    stamp: tuple[int, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.link is None and stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it has content."""
        return self.link is None and stat.S_ISREG(self.mode)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workdir:
    """A working directory that is to travel.

    Attributes:
        root: Where it is.
        entries: What of it travels, sorted by name.
        size_bytes: The files' contents together.
    """

    root: Path
    entries: tuple[Entry, ...]
    size_bytes: int

    @property
    def signature(self) -> tuple[tuple[object, ...], ...]:
        """Equal only where no file was changed."""
        return tuple((one.name, one.mode, one.size_bytes, one.link, *one.stamp) for one in self.entries)

    @property
    def changed_at(self) -> float:
        """When a file of it was changed last, in seconds since the epoch."""
        return max((one.stamp[-1] for one in self.entries if one.stamp), default=0) / 1e9

    @property
    def files(self) -> int:
        """How many files it has."""
        return sum(entry.is_file for entry in self.entries)


@dataclass
class _Count:
    root: Path
    limit_bytes: int
    entries: list[Entry] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.size_bytes += entry.size_bytes
        if self.size_bytes > self.limit_bytes or len(self.entries) > MOST_ENTRIES:
            raise _too_large(self)


def list_workdir(root: Path, ignore: Ignore, *, limit_bytes: int, skip: tuple[Path, ...] = ()) -> Workdir:
    """Lists what travels of a working directory, and stops as soon as it is too much.

    Args:
        root: The directory.
        ignore: Which names in a folder stay behind.
        limit_bytes: How much may travel.
        skip: Folders that stay behind wherever they are, such as our own state.

    Raises:
        ConfigError: There is more than may travel, or the directory is the user's home or the file system's root.
        CaptureError: A folder cannot be read.
    """
    count = _Count(root=root, limit_bytes=limit_bytes)
    never = frozenset(os.path.realpath(each) for each in skip)
    waiting = deque([("", root, frozenset({os.path.realpath(root)}))])
    while waiting:
        # Level by level, so that what is large and near the top is met before the limit ends the counting.
        prefix, folder, around = waiting.popleft()
        for entry in _list_folder(prefix, folder, ignore):
            if entry.is_folder:
                real = os.path.realpath(entry.path)
                if real in never or real in around:
                    continue  # ours, or a link to what it lies in
                waiting.append((f"{entry.name}/", entry.path, around | {real}))
            count.add(entry)
    return Workdir(
        root=root, entries=tuple(sorted(count.entries, key=lambda entry: entry.name)), size_bytes=count.size_bytes
    )


def _list_folder(prefix: str, folder: Path, ignore: Ignore) -> Iterator[Entry]:
    try:
        names = sorted(set(os.listdir(folder)) - _ALWAYS_LEFT_OUT)
        ignored = set(ignore(str(folder), list(names)))
        for name in names:
            entry = None if name in ignored else _describe(f"{prefix}{name}", folder / name)
            if entry is not None:
                yield entry
    except OSError as error:
        raise CaptureError(
            f"The working directory cannot be sent: {error.filename or folder} cannot be read.",
            why=f"{error.strerror or error}.",
            fix="Make it readable, or leave it out by .gitignore or custom_file_filter.",
        ) from error


def _describe(name: str, path: Path) -> Entry | None:
    if path.is_symlink():
        target = os.readlink(path)
        real = os.path.realpath(path)
        if not os.path.exists(real):
            return None
        if os.path.isdir(real) and _stays_inside(name, target):
            return Entry(name=name, path=path, mode=0o777, link=target)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return Entry(name=name, path=path, mode=status.st_mode)
    if stat.S_ISREG(status.st_mode):
        stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        return Entry(name=name, path=path, mode=status.st_mode, size_bytes=status.st_size, stamp=stamp)
    return None  # sockets, pipes and devices are no content


def _stays_inside(name: str, target: str) -> bool:
    """Whether a link leads to a place below the directory by its text alone, as it must where it is unpacked."""
    place = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return not os.path.isabs(place) and place != ".." and not place.startswith("../")


def check_root(root: Path) -> None:
    """Refuses directories that nobody means to send as a whole.

    Raises:
        ConfigError: It is the user's home, or the root of the file system.
    """
    real = Path(os.path.realpath(root))
    if real != Path(real.anchor) and real != Path(os.path.realpath(Path.home())):
        return
    raise ConfigError(
        f"include_local_workdir would send all of {root}; nothing was sent.",
        why="The working directory is your home directory or the root of the file system, and holds what is no job's.",
        fix="Start in the project's own directory, or say with custom_file_filter what stays behind.",
        directory=str(root),
    )


def _too_large(count: _Count) -> ConfigError:
    if len(count.entries) > MOST_ENTRIES:
        what = f"has more than {MOST_ENTRIES:,} entries"
    else:
        what = f"holds more than {render_size(count.limit_bytes)}"
    return ConfigError(
        f"The working directory {count.root} {what}; nothing was sent.",
        why=f"Largest when counting was stopped: {_name_largest(count.entries)}.",
        fix="Leave out what the function does not need, by .gitignore or custom_file_filter; give data as inputs= "
        "(an S3 URI by channel name); or raise local_workdir_limit_bytes.",
        directory=str(count.root),
        limit_bytes=count.limit_bytes,
    )


def _name_largest(entries: list[Entry]) -> str:
    """The top-level entries and the single files that weigh most, as far as they were counted."""
    sizes: Counter[str] = Counter()
    members: Counter[str] = Counter()
    for entry in entries:
        top, slash, _ = entry.name.partition("/")
        top += "/" if slash or entry.is_folder else ""
        sizes[top] += entry.size_bytes
        members[top] += 1
        if slash and entry.is_file:
            sizes[entry.name] += entry.size_bytes
    if len(entries) > MOST_ENTRIES:
        return ", ".join(f"{name} ({count:,} entries)" for name, count in members.most_common(_NAMED))
    return ", ".join(f"{name} ({render_size(size)})" for name, size in sizes.most_common(_NAMED))


def pack_workdir(workdir: Workdir, spool: Spool) -> None:
    """Writes the archive.

    Raises:
        CaptureError: A file cannot be read, or became shorter meanwhile.
    """
    _logger.info(
        "The working directory %s travels: %d files, %s",
        workdir.root,
        workdir.files,
        render_size(workdir.size_bytes),
    )
    sink = cast(IO[bytes], spool.sink)
    with tarfile.open(fileobj=sink, mode="w|", bufsize=_COPY_BYTES, **_FORMAT) as archive:
        for entry in workdir.entries:
            try:
                _add(archive, entry)
            except OSError as error:
                raise CaptureError(
                    f"The working directory cannot be sent: {entry.path} cannot be read.",
                    why=f"{error.strerror or error}.",
                    fix="Make it readable and let nothing write it meanwhile, or leave it out by .gitignore or "
                    "custom_file_filter.",
                ) from error


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.name)
    if entry.link is not None:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.link, 0o777
        archive.addfile(member)
    elif entry.is_folder:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
    else:
        with open(entry.path, "rb") as file:
            member.size = os.fstat(file.fileno()).st_size
            member.mode = 0o755 if entry.mode & stat.S_IXUSR else 0o644
            archive.addfile(member, file)
