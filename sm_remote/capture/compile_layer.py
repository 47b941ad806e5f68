"""Compiles the sources of a layer to bytecode, while jobs may already be using it.

Run as a script, by the interpreter whose bytecode it is, with the standard library alone: nothing of ours is imported.
Arguments: the layer, the folder where bytecode is kept, and ``background`` or ``now``.

It may be killed at any time: each file appears whole by a link or a rename, and what is there already is not done
again. Bytecode is filed under the digest of its source, so another layer with the same package links it. A layer that
is moved away meanwhile ends it: it works inside the directory that it began in, and never makes that again.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import marshal
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress

DONE_FILE = "sm_remote-bytecode.json"
"""In a layer whose sources are compiled: how many there are."""
BACKGROUND, NOW = "background", "now"
_TESTS = frozenset({"tests", "test"})
_MOST_PROCESSES = 4
_HEADER_BYTES = 16
_UNCHECKED_HASH = (1).to_bytes(4, "little")
"""Bytecode whose source is not looked at again, so it also serves where the source has other times. Source: PEP 552."""


def main(layer: str, cache: str, mode: str) -> None:
    """Compiles a layer, unless another process does."""
    import fcntl  # not on Windows, where this is imported and never run

    if not _make_folders(os.path.dirname(cache), os.path.basename(cache)):
        return
    warnings.simplefilter("ignore")  # what a package's source deserves is its author's business
    is_background = mode == BACKGROUND
    with open(os.path.join(cache, f"{os.path.basename(layer)}.lock"), "a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if is_background else 0))
        except BlockingIOError:
            return
        if is_background:
            os.nice(19)
            with open(os.path.join(cache, ".turn"), "a", encoding="ascii") as turn:
                fcntl.flock(turn, fcntl.LOCK_EX)  # many new layers are compiled one after the other
                compile_layer(layer, cache, processes=min(_MOST_PROCESSES, max(1, (os.cpu_count() or 1) // 2)))
        else:
            compile_layer(layer, cache, processes=os.cpu_count() or 1)
        with suppress(FileNotFoundError):
            os.unlink(lock.name)


def compile_layer(layer: str, cache: str, *, processes: int) -> None:
    """Compiles what is not compiled, and then says so in the layer."""
    try:
        os.chdir(layer)
    except FileNotFoundError:
        return
    if os.path.exists(DONE_FILE):
        return
    names = sorted(find_sources("."))
    children = [pid for part in range(1, processes) if (pid := _start(names[part::processes], layer, cache))]
    is_whole = _compile_all(names[::processes], layer, cache)
    for pid in children:
        is_whole = os.waitpid(pid, 0)[1] == 0 and is_whole
    if is_whole:
        with open(f".{DONE_FILE}", "w", encoding="ascii") as file:
            json.dump({"modules": len(names)}, file)
        os.replace(f".{DONE_FILE}", DONE_FILE)


def find_sources(layer: str) -> Iterator[str]:
    """The sources that are compiled, relative to the layer.

    Tests of packages are carried, as a package may import its own, but are hardly ever run: half the work.
    """
    for folder, names, files in os.walk(layer):
        names[:] = [name for name in names if name not in _TESTS and name != "__pycache__"]
        for name in files:
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(folder, name), layer)


def bytecode_name(source_name: str) -> str:
    """Where this interpreter looks for the bytecode of a source."""
    folder, _, base = source_name.rpartition("/")
    compiled = f"__pycache__/{base[: -len('.py')]}.{sys.implementation.cache_tag}.pyc"
    return f"{folder}/{compiled}" if folder else compiled


def _start(names: Sequence[str], layer: str, cache: str) -> int:
    pid = os.fork()  # of a script with one thread; when this process is killed, it ends its part and no more
    if pid:
        return pid
    try:
        is_whole = _compile_all(names, layer, cache)
    except BaseException:  # noqa: BLE001 - a forked process must not go on in its parent's code
        is_whole = False
    os._exit(0 if is_whole else 1)


def _compile_all(names: Sequence[str], layer: str, cache: str) -> bool:
    """Compiles sources of the current directory; tells whether nothing stood in the way."""
    is_whole = True
    for name in names:
        if not _is_in_place(layer):
            return False
        try:
            _compile_one(name, cache)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # what does not compile stays as it is, as installers leave it
        except OSError as error:
            is_whole = False  # the next call tries again
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                break
    return is_whole


def _is_in_place(layer: str) -> bool:
    try:
        return os.path.samestat(os.stat(layer), os.stat("."))
    except OSError:
        return False


def _compile_one(name: str, cache: str) -> None:
    goal = bytecode_name(name)
    if _is_current(name, goal):
        return
    with open(name, "rb") as file:
        source = file.read()
    digest = hashlib.sha256(source).hexdigest()
    folders = (sys.implementation.cache_tag or "", digest[:2])
    kept = os.path.join(cache, *folders, f"{digest}.pyc")
    if not os.path.exists(kept):
        code = compile(source, name, "exec", dont_inherit=True)
        header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
        _make_folders(cache, *folders)
        _write(kept, header + marshal.dumps(code))
    with suppress(FileExistsError):
        os.mkdir(os.path.dirname(goal))
    _put(kept, goal)


def _make_folders(top: str, *names: str) -> bool:
    """Makes folders below one that is there; what somebody has removed meanwhile stays removed."""
    for name in names:
        top = os.path.join(top, name)
        try:
            os.mkdir(top, 0o700)
        except FileExistsError:
            continue
        except FileNotFoundError:
            return False
    return True


def _is_current(name: str, goal: str) -> bool:
    """Whether Python would take the bytecode that is there."""
    try:
        with open(goal, "rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return False
    if header[:4] != importlib.util.MAGIC_NUMBER:
        return False
    status = os.stat(name)
    times = (int(status.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little")
    times += (status.st_size & 0xFFFFFFFF).to_bytes(4, "little")
    return header[4:8] != bytes(4) or header[8:] == times


def _put(kept: str, goal: str) -> None:
    """Links what is kept into the layer, or copies it to another file system."""
    part = f"{goal}.part"
    try:
        os.link(kept, goal)
        return
    except FileExistsError:
        with suppress(FileNotFoundError):
            os.unlink(part)
    except OSError:
        with open(kept, "rb") as file:
            _write(goal, file.read())
        return
    os.link(kept, part)
    os.replace(part, goal)


def _write(path: str, data: bytes) -> None:
    part = f"{path}.{os.getpid()}"
    try:
        with open(part, "wb") as file:
            os.fchmod(file.fileno(), 0o644)  # jobs of another user read it
            file.write(data)
        os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)


if __name__ == "__main__":
    main(*sys.argv[1:])
