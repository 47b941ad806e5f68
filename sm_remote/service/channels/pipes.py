"""Channels in Pipe mode, beside one host's container: the pipes, and the process that feeds them.

Source: SageMaker Developer Guide, "Access Training Data" (Pipe mode): ``/opt/ml/input/data/<channel>_<epoch>``, from 0
on, each read once and by one reader.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from sm_remote.home import Home, make_private, write_private
from sm_remote.service.channels.file_mode import find_mode, list_channels
from sm_remote.service.channels.pipe_feeder import make_pipe
from sm_remote.service.channels.shards import find_shard
from sm_remote.service.engines.engine import EngineError, Mount
from sm_remote.service.hosts.companions import InputBrokenError
from sm_remote.service.hosts.host import Host, list_hosts
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.storage.objects import ObjectError

logger = logging.getLogger("sm_remote.service")

_LOOK_S = 0.5
_END_S = 5.0


def build_pipes(
    request: Mapping[str, Any], host: Host, tree: WorkingTree, home: Home, stop: Callable[[], None]
) -> tuple[Pipes, ...]:
    """What feeds a host's pipes; none where it has no channel in Pipe mode.

    Args:
        request: CreateTrainingJob.
        host: Whose pipes they are.
        tree: The host's.
        home: Where the embedded store is.
        stop: Ends the host's container.
    """
    channels = [channel for channel in list_channels(request, host) if find_mode(channel, request) == "Pipe"]
    if not channels:
        return ()
    hosts = list_hosts(request)
    shares = [{"channel": channel, "shard": asdict(find_shard(channel, host, hosts))} for channel in channels]
    return (Pipes(shares, tree, home, stop),)


class Pipes:
    """See `sm_remote.service.hosts.companions.Companion`.

    Args:
        shares: The channels, and which part of each is the host's.
        tree: The host's.
        home: Where the embedded store is.
        stop: Ends the host's container.
    """

    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = {}

    def __init__(
        self, shares: Sequence[Mapping[str, Any]], tree: WorkingTree, home: Home, stop: Callable[[], None]
    ) -> None:
        self._shares = shares
        self._data = tree.data
        self._own = tree.scratch / "pipes"
        self._home = home
        self._stop = stop
        self._feeder: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None
        self._failure: str | None = None

    def prepare(self, go_on: Callable[[], None]) -> None:
        """See the protocol: makes the first pipes and starts their feeder."""
        go_on()
        if os.mkfifo not in os.supports_dir_fd:
            raise ObjectError("Pipe mode needs Linux: no pipe leads into the containers of another system")
        make_private(self._own)
        directory = os.open(self._data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        lock = os.open(self._own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for share in self._shares:
                make_pipe(directory, share["channel"]["ChannelName"], 0)
            self._spawn(directory, lock)
        finally:
            os.close(directory)
            os.close(lock)

    def _spawn(self, directory: int, lock: int) -> None:
        order = {
            "data": str(self._home.data),
            "cache": str(self._home.cache),
            "directory": directory,
            "error": str(self._own / "error"),
            "channels": self._shares,
        }
        with open(self._own / "log", "ab") as log:
            # In a session of its own: it outlives the service, as the container does.
            self._feeder = subprocess.Popen(
                [sys.executable, "-m", "sm_remote.service.channels.pipe_feeder"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(directory, lock),
                start_new_session=True,
            )
        write_private(self._own / "pid", str(self._feeder.pid))
        with suppress(BrokenPipeError), self._feeder.stdin as stdin:  # type: ignore[union-attr]
            stdin.write(json.dumps(order).encode())

    def start(self) -> None:
        """See the protocol: watches the feeder, which may be one that an earlier service started."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name=f"pipes {self._data}", daemon=True)
            self._watcher.start()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            failure = self._find_failure()
            if failure is not None:
                self._failure = failure
                try:
                    self._stop()
                except EngineError:
                    logger.exception("A container whose pipe broke off could not be stopped; trying again")
                    continue
                return

    def _find_failure(self) -> str | None:
        with suppress(FileNotFoundError):
            return (self._own / "error").read_text()
        if not (self._own / "lock").exists() or (self._own / "ended").exists():
            return None  # it was never started, or was ended by us
        if self._is_alive():
            return None
        said = ""
        with suppress(OSError):
            said = (self._own / "log").read_text(errors="replace").strip().rpartition("\n")[2]
        failure = f"the process that feeds the pipes is gone{f': {said}' if said else ''}"
        write_private(self._own / "error", failure)
        return failure

    def _is_alive(self) -> bool:
        try:
            lock = os.open(self._own / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def finish(self) -> None:
        """See the protocol: ends the feeder.

        Raises:
            InputBrokenError: The job did not get all of its input.
        """
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join(_END_S)
        self._failure = self._failure or self._find_failure()
        self._end_feeder()
        if self._failure is not None:
            raise InputBrokenError(self._failure)

    def _end_feeder(self) -> None:
        with suppress(FileNotFoundError):
            (self._own / "ended").touch()
        deadline = time.monotonic() + _END_S
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._is_alive():
                break
            with suppress(OSError, ValueError):
                os.kill(int((self._own / "pid").read_text()), number)
            while self._is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
        if self._feeder is not None:
            with suppress(subprocess.TimeoutExpired):
                self._feeder.wait(_END_S)
