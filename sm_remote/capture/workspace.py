"""What a job finds around its function: the files of the working directory, and what is run there before it.

Both travel as objects that the manifest names, so a job runs no command that its request does not vouch for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_remote.capture.file_filter import choose_filter
from sm_remote.capture.spool import Spool
from sm_remote.capture.upload import Upload
from sm_remote.capture.workdir import Workdir, check_root, list_workdir, pack_workdir
from sm_remote.errors import ConfigError
from sm_remote.home import Home
from sm_remote.storage.store import Store
from sm_remote.wire.digest import BlobRef, digest_bytes
from sm_remote.wire.layout import blob_key
from sm_remote.wire.manifest import PRE_EXECUTION, WORKDIR

_SETTLED_S = 2.0
"""A file that was changed later than this before it was packed may change again without its times showing it."""
_packed: dict[tuple[str, tuple[tuple[object, ...], ...]], BlobRef] = {}
"""The directory that was packed last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceRequest:
    """What of it was asked for.

    Attributes:
        commands: Shell commands to run first.
        script: A shell script to run first, instead.
        include_workdir: Whether the working directory travels.
        file_filter: What of it stays behind; see `file_filter.choose_filter`.
        limit_bytes: How much of it may travel.
    """

    commands: tuple[str, ...] = ()
    script: str | None = None
    include_workdir: bool = False
    file_filter: Any = None
    limit_bytes: int = 500_000_000

    @property
    def runs_commands(self) -> bool:
        """Whether anything runs before the function, and so may install what it needs."""
        return bool(self.commands) or self.script is not None


NOTHING_MORE = WorkspaceRequest()
"""Nothing around the function."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """What of it travels.

    Attributes:
        uploads: Its objects.
        workdir: The working directory; None where it stays here.
        runs_commands: Whether anything runs before the function.
    """

    uploads: tuple[Upload, ...] = ()
    workdir: Workdir | None = None
    runs_commands: bool = False

    @property
    def module_names(self) -> frozenset[str]:
        """What may be imported from the working directory: the names at its top, without suffixes."""
        entries = () if self.workdir is None else self.workdir.entries
        return frozenset(entry.name.partition(".")[0] for entry in entries if "/" not in entry.name)


def plan_workdir(request: WorkspaceRequest, home: Home) -> Workdir | None:
    """Lists the files of the working directory that travel; None where it was not asked for.

    Raises:
        ConfigError: It is too large, or no directory that anybody means to send.
        CaptureError: It cannot be read.
    """
    if not request.include_workdir:
        return None
    try:
        root, ignore = choose_filter(request.file_filter, Path.cwd())
    except FileNotFoundError as error:
        raise ConfigError(
            "The working directory cannot be sent: it is gone.",
            why="It was deleted while this process was in it.",
            fix="Change into a directory that is there, or leave include_local_workdir out.",
        ) from error
    if request.file_filter is None:
        check_root(root)
    return list_workdir(root, ignore, limit_bytes=request.limit_bytes, skip=(home.data, home.cache))


@contextmanager
def gather_workspace(request: WorkspaceRequest, home: Home, store: Store) -> Iterator[Workspace]:
    """Reads and packs all of it. Its temporary files are gone after the block.

    A working directory that this process has packed as it is now, and that is still stored, is not packed again.

    Raises:
        ConfigError: The working directory is too large, or the script cannot be read.
        CaptureError: A file cannot be read.
    """
    first = _read_pre_execution(request)
    uploads = [] if first is None else [first]
    workdir = plan_workdir(request, home)
    if workdir is None:
        yield Workspace(uploads=tuple(uploads), runs_commands=request.runs_commands)
        return
    packed = _find_packed(workdir, store)
    if packed is not None:
        # Without a source: it is stored. Were it deleted this very moment, storing it would fail, and say so.
        uploads.append(Upload(role=WORKDIR, ref=packed, source=home.cache / "incoming" / packed.digest))
        yield Workspace(uploads=tuple(uploads), workdir=workdir, runs_commands=request.runs_commands)
        return
    started = time.time()
    with Spool(home.cache / "incoming") as spool:
        pack_workdir(workdir, spool)
        uploads.append(Upload(role=WORKDIR, ref=spool.ref(), source=spool.source()))
        if workdir.changed_at < started - _SETTLED_S:
            _packed.clear()
            _packed[(str(workdir.root), workdir.signature)] = spool.ref()
        yield Workspace(uploads=tuple(uploads), workdir=workdir, runs_commands=request.runs_commands)


def _find_packed(workdir: Workdir, store: Store) -> BlobRef | None:
    ref = _packed.get((str(workdir.root), workdir.signature))
    found = None if ref is None else store.head(blob_key(ref.digest))
    return ref if ref is not None and found is not None and found.size_bytes == ref.size_bytes else None


def _read_pre_execution(request: WorkspaceRequest) -> Upload | None:
    if request.commands:
        content: dict[str, Any] = {"commands": list(request.commands)}
    elif request.script is not None:
        path = Path(request.script).expanduser()
        # As text that holds any bytes: what the shell is given are the script's own.
        content = {"name": path.name, "script": _read_script(path).decode("utf-8", "surrogateescape")}
    else:
        return None
    data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return Upload(role=PRE_EXECUTION, ref=BlobRef(digest=digest_bytes(data), size_bytes=len(data)), source=data)


def _read_script(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The script {str(path)!r} (pre_execution_script) cannot be read.",
            why=f"{error.strerror or error}.",
            fix="Give the path of a shell script on this machine.",
            path=str(path),
        ) from error
