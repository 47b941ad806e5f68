"""The files by which a process and the service that started it, or a later one, know of each other.

In the container's scratch directory:

    lock      held exclusively by the shim for as long as it lives: no process id needs to be trusted
    shim      the shim's process id; there from its first moment, so a container without it was never started
    payload   the process id of the command, or of bubblewrap
    status    what bubblewrap says of its child (JSON lines)
    output    stdout and stderr as they came
    exit      the exit code, with a newline; absent when the shim itself was killed
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SHIM = """
cd "$1" || exit 126
echo $$ >shim
cd "$2" || exit 126
d=$1; shift 2
sh -c 'echo $$ >"$0"; exec "$@"' "$d/payload" "$@" </dev/null 2>&1 3>"$d/status"
echo $? >"$d/exit"
kill -KILL 0
"""
"""Runs the command, records its exit code, and takes what it left running in its process group with it.

Its own stdin is the lock, which the command does not inherit; its own stderr is nobody's."""


@dataclass(frozen=True, slots=True)
class ProcessFiles:
    """The files of one container.

    Attributes:
        scratch: Where they are.
        sandboxed: Whether bubblewrap stands between the shim and the command.
    """

    scratch: Path
    sandboxed: bool

    @property
    def output(self) -> Path:
        """Stdout and stderr."""
        return self.scratch / "output"

    def open_lock(self) -> int:
        """Opens the lock file; the caller closes it."""
        return os.open(self.scratch / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def was_started(self) -> bool:
        """Whether a shim ever ran."""
        return (self.scratch / "shim").exists()

    def is_alive(self) -> bool:
        """Whether the shim still runs."""
        try:
            with self._lock_shared(fcntl.LOCK_NB):
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def wait_for_end(self) -> None:
        """Blocks until the shim has ended, whoever started it."""
        try:
            with self._lock_shared(0):
                return
        except FileNotFoundError:
            return

    @contextmanager
    def _lock_shared(self, flags: int) -> Iterator[None]:
        # Shared: several may look at the same moment and none must take the other for the shim.
        descriptor = os.open(self.scratch / "lock", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | flags)
            yield
        finally:
            os.close(descriptor)

    def read_exit(self) -> int | None:
        """The exit code, once it is there."""
        try:
            text = (self.scratch / "exit").read_text()
        except OSError:
            return None
        return int(text) if text.endswith("\n") else None

    def find_shim(self) -> int | None:
        """The process above all others of the container, while it runs."""
        return self._read_pid("shim") if self.is_alive() else None

    def find_payload(self, proc: Path = Path("/proc")) -> int | None:
        """The process that gets the signals: the command itself, not the sandbox around it."""
        if not self.sandboxed:
            return self._read_pid("payload")
        first = self._read_sandbox_child()
        try:
            children = (proc / str(first) / "task" / str(first) / "children").read_text().split()
        except OSError:  # it is not there yet
            return None
        return int(children[0]) if children else None

    def _read_sandbox_child(self) -> int | None:
        try:
            first = (self.scratch / "status").read_text().splitlines()[0]
            return int(json.loads(first)["child-pid"])
        except (OSError, IndexError, ValueError, KeyError):
            return None

    def find_killable(self) -> int | None:
        """The process whose death by SIGKILL ends all: the sandbox's first, or the command."""
        return self._read_sandbox_child() or self._read_pid("payload")

    def kill_group(self) -> None:
        """Kills the shim and all that it started and that stayed in its process group; returns when it is dead."""
        while self.is_alive():
            # The number is not there in the shim's very first moment.
            if (shim := self._read_pid("shim")) is not None:
                _kill_group(shim)
            time.sleep(0.005)
        shim, payload = self._read_pid("shim"), self._read_pid("payload")
        if self.read_exit() is None and shim and payload and _read_session(payload) == shim:
            _kill_group(shim)  # somebody killed the shim alone

    def delete(self) -> None:
        """Deletes everything here; links are not followed."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _read_pid(self, name: str) -> int | None:
        try:
            return int((self.scratch / name).read_text())
        except (OSError, ValueError):
            return None


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _read_session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
