"""Packages that lie in no mounted layer: unpacked from an archive, or installed because only the job can build them.

On a SageMaker warm pool both are kept in the pool's cache, so that the next job of the same lock does neither.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from sm_remote.errors import DependencyInstallFailed

WARM_POOL_CACHE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
"""Source: SageMaker Developer Guide, "Train using managed warm pools", persistent cache."""
_TAIL_LINES = 15
_MB = 1_000_000


def provide_unpacked(archive: str, digest: str, directory: str, unpack: Callable[[str, str], str]) -> str:
    """Unpacks a verified archive of packages, unless the warm pool has it unpacked.

    Args:
        archive: Its file.
        digest: Names it.
        directory: Where it goes otherwise; does not exist yet.
        unpack: Does it.

    Returns:
        The directory that holds the packages.
    """

    def fill(target: str) -> None:
        began = time.monotonic()
        unpack(archive, target)
        size_mb = os.path.getsize(archive) / _MB
        _say(f"unpacked {size_mb:.0f} MB of packages in {time.monotonic() - began:.1f} s")

    return _provide(f"unpacked-{digest}", directory, fill)


def provide_installed(requirements: str, digest: str, directory: str) -> str:
    """Installs requirements that could not be had before the job started, unless the warm pool has them.

    Args:
        requirements: A file with JSON: what to install, and how many seconds that may take.
        digest: Names it.
        directory: Where they go otherwise; does not exist yet.

    Raises:
        DependencyInstallFailed: One cannot be installed; the message ends with what the installer said.
    """
    import json

    with open(requirements, encoding="utf-8") as file:
        wanted = json.load(file)
    lines, limit_s = list(wanted["requirements"]), float(wanted["limit_s"])
    return _provide(f"installed-{digest}", directory, lambda target: _install(lines, target, limit_s))


def _provide(name: str, directory: str, fill: Callable[[str], None]) -> str:
    root = os.environ.get(WARM_POOL_CACHE)
    if root and os.path.isdir(root):
        kept = os.path.join(root, "sm_remote", name)
        if os.path.isdir(kept) or _fill_whole(kept, fill):
            return kept
    fill(directory)
    return directory


def _fill_whole(kept: str, fill: Callable[[str], None]) -> bool:
    """Fills a directory of the cache, whole or not at all; tells whether it is there."""
    import shutil

    temporary = f"{kept}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        fill(temporary)
        with suppress(FileExistsError):
            os.rename(temporary, kept)
    except OSError as error:  # no room, or not ours to write: the job does without it
        _say(f"the warm pool's cache is not used: {error}")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return os.path.isdir(kept)


def _install(lines: list[str], target: str, limit_s: float) -> None:
    import shutil

    uv = shutil.which("uv")
    installer = "uv" if uv else "pip"
    command = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    command += ["--no-deps", "--target", target, *lines]
    names = ", ".join(line.partition("==")[0].partition(" ")[0] for line in lines)
    _say(f"installing {names} with {installer}, which is built for this image")
    began = time.monotonic()
    code, tail = _run(command, limit_s)
    if code:
        is_late = time.monotonic() - began >= limit_s
        raise DependencyInstallFailed(
            f"{_find_failing(lines, tail)} could not be installed in the job"
            f"{f': it took longer than {limit_s:g} s and was ended' if is_late else ''}.",
            why=f"{installer} said: " + "\n".join(tail),
            fix="Give it more time (install_limit_s=...), or use an image that has it."
            if is_late
            else "It has no wheel for this image, and building one failed: use an image that has it.",
            requirement=_find_failing(lines, tail),
        )
    _say(f"installed {names} in {time.monotonic() - began:.1f} s")


def _run(command: list[str], limit_s: float) -> tuple[int, list[str]]:
    """Runs a program with its output in the job's log; gives its exit code and the last lines."""
    import signal
    import subprocess
    import threading

    tail: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,  # with the compilers that it starts it is one group, to be ended as one
    ) as process:

        def end() -> None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit_s, end)
        timer.start()
        try:
            if process.stdout is not None:
                for line in process.stdout:
                    tail = [*tail[1 - _TAIL_LINES :], line.rstrip()]
                    sys.stdout.write(line)
            process.wait()
        finally:
            timer.cancel()
    return process.returncode, tail


def _find_failing(lines: list[str], said: list[str]) -> str:
    text = "\n".join(said).lower()
    for line in lines:
        if line.partition("==")[0].partition(" ")[0].lower() in text:
            return line
    return ", ".join(lines)


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stdout.write(f"sm_remote: environment: {text}\n")
        sys.stdout.flush()
