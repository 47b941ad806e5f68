"""Has the packages of a layer compiled, so that a job need not compile at every start what it imports.

A layer is used as soon as its files are there: what the first job imports before it is compiled, that job compiles for
itself, as after any plain installation. Meanwhile a process of its own compiles all of it, for every job after. It is
no part of the client, whose process may end with its call, and not of the local service, which may run another Python
than the client, whose bytecode its jobs need.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sm_remote.capture import compile_layer
from sm_remote.capture.compile_layer import BACKGROUND, DONE_FILE, NOW, bytecode_name, find_sources
from sm_remote.capture.interpreter import describe_interpreter

__all__ = [
    "BYTECODE",
    "bytecode_name",
    "compile_in_background",
    "compile_now",
    "count_modules",
    "is_compiled",
    "remove_unused",
]

BYTECODE = "bytecode"
"""The folder of the cache that keeps it."""


def is_compiled(layer: Path) -> bool:
    """Whether everything in a layer is compiled that is going to be."""
    return (layer / DONE_FILE).exists()


def compile_in_background(layer: Path, cache: Path) -> None:
    """Has a layer compiled by a process that nobody waits for; does nothing where it is, or one is at it.

    Args:
        layer: Jobs may be using it.
        cache: Where bytecode is kept for other layers.
    """
    if is_compiled(layer) or _is_at_work(layer, cache):
        return
    try:
        process = subprocess.Popen(
            _build_command(layer, cache, BACKGROUND),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # neither an interrupt nor the end of a notebook's kernel is for it
        )
    except OSError:
        return  # jobs do without, and the next call tries again
    threading.Thread(target=process.wait, name="sm_remote-bytecode", daemon=True).start()


def compile_now(layer: Path, cache: Path) -> None:
    """Compiles a layer on every core and comes back when that is done; what does not compile stays as it is."""
    if not is_compiled(layer):
        subprocess.run(_build_command(layer, cache, NOW), capture_output=True, check=False, cwd="/")


def _build_command(layer: Path, cache: Path, mode: str) -> list[str]:
    script = os.path.abspath(compile_layer.__file__)
    return [describe_interpreter().executable, "-I", "-S", "-B", script, str(layer), str(cache), mode]


def _is_at_work(layer: Path, cache: Path) -> bool:
    import fcntl  # not on Windows, where only the refusal to run there is reached

    try:
        with open(cache / f"{layer.name}.lock", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # there is none
    return False


def count_modules(layer: Path) -> tuple[int, int]:
    """How many sources of a layer are compiled, and how many are going to be."""
    names = list(find_sources(str(layer)))
    return sum((layer / bytecode_name(name)).exists() for name in names), len(names)


def remove_unused(cache: Path, before_s: float) -> int:
    """Removes kept bytecode that no layer links any more.

    Args:
        cache: Where it is kept.
        before_s: What was compiled later stays; seconds since the epoch.

    Returns:
        The bytes that were freed.
    """
    freed_bytes = 0
    for path in _list_kept(cache):
        with suppress(FileNotFoundError):
            status = path.stat()
            if status.st_nlink == 1 and status.st_mtime < before_s:
                path.unlink()
                freed_bytes += status.st_size
    return freed_bytes


def _list_kept(cache: Path) -> Iterator[Path]:
    return cache.glob("*/*/*.pyc")
