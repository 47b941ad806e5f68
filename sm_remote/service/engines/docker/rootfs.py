"""The file system of a container image, gathered from this machine and written as a tar archive.

A path is added together with every directory and symbolic link that leads to it, so that it is found in the image by
the very name that it has here. Each path appears once: Docker refuses an archive that names one twice.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Entry:
    """One member of the archive: a directory, a link, a file of this machine, or text."""

    kind: bytes
    mode: int = 0o755
    link: str = ""
    source: str = ""
    content: bytes = b""


class Rootfs:
    """The files of an image, each path once, with every directory and link that leads to it."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def add_directory(self, path: str, mode: int = 0o755) -> None:
        """Adds a directory, empty unless something is added to it."""
        for parent in reversed(Path(path).parents[:-1]):
            self._entries.setdefault(str(parent), _Entry(tarfile.DIRTYPE))
        self._entries[path] = _Entry(tarfile.DIRTYPE, mode=mode)

    def add_text(self, path: str, content: bytes) -> None:
        """Adds a file that is not one of this machine."""
        self.add_directory(os.path.dirname(path))
        self._entries[path] = _Entry(tarfile.REGTYPE, mode=0o644, content=content)

    def add_file(self, path: str, source: str) -> None:
        """Adds a file of this machine under a path of its own choosing."""
        self._entries.setdefault(os.path.dirname(path), _Entry(tarfile.DIRTYPE))
        self._entries[path] = _Entry(tarfile.REGTYPE, mode=0o644, source=source)

    def list_files(self) -> list[tuple[Path, Path]]:
        """Lists the files of this machine that were added: where they will be, and where they are."""
        return [(Path(path), Path(entry.source)) for path, entry in self._entries.items() if entry.source]

    def add_link(self, path: str, target: str) -> None:
        """Adds a symbolic link unless something is there already."""
        self._entries.setdefault(path, _Entry(tarfile.SYMTYPE, link=target))

    def add_path(self, path: str) -> None:
        """Adds a file of this machine, or a directory without what is in it."""
        at, steps = "/", deque(path.strip("/").split("/"))
        for _ in range(256):  # a loop of links would never end
            if not steps:
                return
            name = steps.popleft()
            step = os.path.normpath(os.path.join(at, name))
            if os.path.islink(step):
                target = os.readlink(step)
                self._entries[step] = _Entry(tarfile.SYMTYPE, link=target)
                steps.extendleft(reversed(target.strip("/").split("/")))
                at = "/" if target.startswith("/") else at
                continue
            self._add_real(step)
            at = step

    def _add_real(self, path: str) -> None:
        if path in self._entries or path == "/":
            return
        if os.path.isdir(path):
            self._entries[path] = _Entry(tarfile.DIRTYPE)
        elif os.path.isfile(path):
            mode = 0o755 if os.stat(path).st_mode & 0o111 else 0o644
            self._entries[path] = _Entry(tarfile.REGTYPE, mode=mode, source=path)

    def add_tree(self, root: str, leave_out: frozenset[str] = frozenset()) -> None:
        """Adds a directory with everything in it but what bears one of the names."""
        self.add_path(root)
        for directory, folders, names in os.walk(os.path.realpath(root)):
            folders[:] = [name for name in folders if name not in leave_out]
            for name in (*folders, *names):
                path = os.path.join(directory, name)
                if name in leave_out:
                    continue
                if os.path.islink(path):
                    self.add_path(path)
                else:
                    self._add_real(path)

    def write_tar(self) -> Iterator[bytes]:
        """Yields the archive piece by piece."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self._entries):
                _write_entry(archive, path, self._entries[path])
                if buffer.tell() >= 1 << 20:
                    yield buffer.getvalue()
                    buffer.seek(0)
                    buffer.truncate()
        yield buffer.getvalue()


def _write_entry(archive: tarfile.TarFile, path: str, entry: _Entry) -> None:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.type, member.mode, member.linkname = entry.kind, entry.mode, entry.link
    if not entry.source:
        member.size = len(entry.content)
        archive.addfile(member, io.BytesIO(entry.content))
        return
    with open(entry.source, "rb") as file:
        status = os.fstat(file.fileno())
        # The modification time is what makes the .pyc beside a source valid.
        member.size, member.mtime = status.st_size, int(status.st_mtime)
        archive.addfile(member, file)
