"""The layers of installed packages that this machine keeps: what is in them, when they were used, which may go."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sm_remote.capture.bytecode import BYTECODE, count_modules, is_compiled, remove_unused
from sm_remote.errors import ConfigError
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.jobs.connection import Connection
from sm_remote.storage import Store
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.wire.layout import LAYERS

LIVE = ("InProgress", "Stopping")
JUST_USED = timedelta(minutes=10)
"""A layer that was used within this time may belong to a job that is being submitted."""

_KEY = re.compile(r"[0-9a-f]{16,64}")
_DEEPEST = 6
"""Folders between the store and a folder of layers: those of s3_root_uri."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A directory of installed packages.

    Attributes:
        key: Names its content.
        path: Where it is.
        size_bytes: Of its files.
        freed_bytes: What removing it gives back: files that are linked from elsewhere too stay there.
        distributions: What is in it, such as ``numpy 2.4.6``.
        last_used: When a job was last submitted with it.
        modules: How many of its modules are going to be compiled to bytecode.
        compiled: How many of them are.
        is_compiled: Whether that work is done; a few modules never compile.
    """

    key: str
    path: Path
    size_bytes: int
    freed_bytes: int
    distributions: tuple[str, ...]
    last_used: datetime
    modules: int = 0
    compiled: int = 0
    is_compiled: bool = False


def mark_used(key: str | None, store: Store, home: Home) -> None:
    """Notes that a layer is used now."""
    if key is None:
        return
    folder = store.local_path(LAYERS) if isinstance(store, EmbeddedStore) else home.cache / LAYERS
    with suppress(OSError):  # not there, or another user's
        os.utime(folder / key)


def list_layers(home: Home) -> list[Layer]:
    """All layers of this machine, the one used last first."""
    layers = [_read_layer(path) for folder in _find_folders(home) for path in _find_layers(folder)]
    return sorted(layers, key=lambda layer: (layer.last_used, layer.key), reverse=True)


def find_layer(home: Home, beginning: str) -> Layer:
    """The layer whose key begins so.

    Raises:
        ConfigError: There is none, or more than one.
    """
    paths = [path for folder in _find_folders(home) for path in _find_layers(folder)]
    found = [path for path in paths if path.name.startswith(beginning)]
    if len({path.name for path in found}) != 1:
        count = "No layer's key begins" if not found else f"{len(found)} layers' keys begin"
        raise ConfigError(f"{count} with {beginning!r}.", fix="`sm-remote layers list` shows all of them.")
    return _read_layer(found[0])


def _find_folders(home: Home) -> Iterator[Path]:
    yield home.cache / LAYERS
    top = home.store / LOCAL_BUCKET
    for folder, names, _ in os.walk(top):
        if LAYERS in names:
            yield Path(folder, LAYERS)
        is_deep = len(Path(folder).relative_to(top).parts) >= _DEEPEST
        # Blobs, jobs and layers have many entries, and no folder of layers below them.
        names[:] = [] if is_deep else [name for name in names if name not in (LAYERS, "blobs", "jobs", "channels")]


def _find_layers(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if _KEY.fullmatch(path.name) and path.is_dir()]


def _read_layer(path: Path) -> Layer:
    size_bytes = freed_bytes = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                status = os.lstat(os.path.join(folder, name))
                size_bytes += status.st_size
                freed_bytes += status.st_size if status.st_nlink == 1 else 0
    compiled, modules = count_modules(path)
    return Layer(
        key=path.name,
        path=path,
        size_bytes=size_bytes,
        freed_bytes=freed_bytes,
        distributions=tuple(sorted(_list_distributions(path), key=str.lower)),
        last_used=datetime.fromtimestamp(path.stat().st_mtime, timezone.utc),
        modules=modules,
        compiled=compiled,
        is_compiled=is_compiled(path),
    )


def _list_distributions(path: Path) -> Iterator[str]:
    for info in path.glob("*.dist-info"):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        yield f"{name} {version}".strip()


def find_live_keys(connection: Connection) -> frozenset[str]:
    """Keys of the layers that jobs have mounted or will mount."""
    jobs = connection.training_jobs
    uris = [
        channel["DataSource"]["S3DataSource"]["S3Uri"]
        for status in LIVE
        for row in jobs.list_all(status=status)
        for channel in jobs.describe(row.name).raw.get("InputDataConfig") or ()
    ]
    found = [re.search(rf"/{LAYERS}/([^/]+)/?$", uri) for uri in uris]
    return frozenset(match[1] for match in found if match)


def select_removable(
    layers: Iterable[Layer], live: frozenset[str], *, older_than: timedelta, now: datetime
) -> list[Layer]:
    """The layers that no live job has, and that were not used for so long. Pure."""
    limit = now - max(older_than, JUST_USED)
    return [layer for layer in layers if layer.key not in live and layer.last_used < limit]


def remove_unused_bytecode(home: Home, *, older_than: timedelta, now: datetime) -> int:
    """Removes bytecode that was kept for layers and that none has any more; gives the bytes that were freed."""
    return remove_unused(home.cache / BYTECODE, (now - max(older_than, JUST_USED)).timestamp())


def remove_layer(layer: Layer, home: Home) -> None:
    """Removes a layer; what is half removed is never found."""
    aside = layer.path.with_name(f".incoming-removed-{layer.key}")
    layer.path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    for suffix in (".tar", ".digest"):
        (home.cache / "archives" / f"{layer.key}{suffix}").unlink(missing_ok=True)
