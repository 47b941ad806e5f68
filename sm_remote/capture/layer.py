"""Installed packages as one directory that a job mounts read-only: a layer, filed under what it contains.

Installed files that work in the job are themselves linked into the layer: no index, no resolving, no copy, and versions
that no index has (``torch 2.13.0+cpu``) are no trouble. `installer` adds what has to be fetched. A layer appears by one
rename, so a directory that is there is whole.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sm_remote.capture.alterations import find_alterations
from sm_remote.capture.bytecode import bytecode_name
from sm_remote.capture.distributions import Distribution
from sm_remote.errors import CaptureError

_logger = logging.getLogger("sm_remote")

_STALE_S = 24 * 3600
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP})


def publish_layer(layer: Path, fill: Callable[[Path], None]) -> Path:
    """Fills a directory aside and moves it into place whole; a layer that is there already is left alone."""
    if layer.is_dir():
        return layer
    layer.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_stale(layer.parent)
    temporary = Path(tempfile.mkdtemp(prefix=".incoming-", dir=layer.parent))
    try:
        fill(temporary)
        temporary.chmod(0o755)
        _move_into_place(temporary, layer)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return layer


def retire_partial_layer(layer: Path, mark: str) -> None:
    """Moves a layer aside that somebody has begun to remove by hand.

    Args:
        layer: Appears whole, by a rename, and so is only looked at for this.
        mark: A file at the top of each layer.
    """
    if layer.is_dir() and not (layer / mark).exists():
        _logger.warning("The layer %s is made again: files of it were removed.", layer.name)
        layer.rename(layer.with_name(f".incoming-partial-{layer.name}-{time.time_ns()}"))


def retire_altered_layer(layer: Path, linked: Sequence[Distribution]) -> None:
    """Moves a layer aside of which a file was altered: links share their content with what was installed then.

    A job that has it mounted keeps it; it is removed after a day.
    """
    if not layer.is_dir():
        return
    altered = next((one for one in linked if find_alterations(one, folder=layer)), None)
    if altered is not None:
        _logger.warning("The layer %s is made again: a file of %s in it was altered.", layer.name, altered.pin)
        layer.rename(layer.with_name(f".incoming-altered-{layer.name}-{time.time_ns()}"))


def _move_into_place(temporary: Path, layer: Path) -> None:
    try:
        temporary.rename(layer)
    except OSError as error:
        # Another process was faster: its layer has the same content.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not layer.is_dir():
            raise


def _remove_stale(layers: Path) -> None:
    for leftover in layers.glob(".incoming-*"):
        try:
            if leftover.stat().st_mtime < time.time() - _STALE_S:
                shutil.rmtree(leftover, ignore_errors=True)
        except FileNotFoundError:
            continue


def link_distributions(distributions: Sequence[Distribution], target: Path) -> None:
    """Links the files of installed distributions into a directory, with the bytecode that lies beside them.

    Args:
        distributions: Installed for the running interpreter.
        target: May hold files already; those stay.

    Raises:
        CaptureError: An installed file is gone or unreadable.
    """
    linker = _Linker(target)
    for one in distributions:
        for file in one.files:
            if not _is_foreign_bytecode(file.name):
                linker.link(one.folder / file.name, file.name, one)


def _is_foreign_bytecode(name: str) -> bool:
    # Bytecode beside its source is taken along with the source: a RECORD lists too much of it or none.
    return name.endswith(".pyc") and "__pycache__/" in name


class _Linker:
    """Puts files into one directory by links where the file system can, else by copies."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._made: set[str] = set()
        self._copies_from: set[Path] = set()

    def link(self, source: Path, name: str, owner: Distribution) -> None:
        """Links one file, and its bytecode with it."""
        try:
            if not self._put(source, name):
                return
        except FileNotFoundError as error:
            if name.endswith((".dist-info/RECORD", ".py", ".so")):
                raise _incomplete(owner, name) from error
            return
        if name.endswith(".py"):
            compiled = bytecode_name(name)
            with suppress(FileNotFoundError):
                self._put(source.parent / "__pycache__" / compiled.rpartition("/")[2], compiled)

    def _put(self, source: Path, name: str) -> bool:
        goal = os.path.join(self._target, name)
        self._make_folder(os.path.dirname(goal))
        if source.parent in self._copies_from:
            shutil.copy2(source, goal)
            return True
        try:
            os.link(source, goal, follow_symlinks=True)
        except FileExistsError:
            return False  # two distributions that share a namespace package both bring its __init__
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
            self._copies_from.add(source.parent)
            shutil.copy2(source, goal)
        return True

    def _make_folder(self, folder: str) -> None:
        if folder not in self._made:
            os.makedirs(folder, exist_ok=True)
            self._made.add(folder)


def _incomplete(owner: Distribution, name: str) -> CaptureError:
    return CaptureError(
        f"The installed package {owner.pin} is incomplete: {name} is missing.",
        why=f"Its RECORD lists the file, and {owner.folder} has it no more.",
        fix=f"Install it again: `pip install --force-reinstall --no-deps {owner.pin}`.",
        distribution=owner.name,
    )
