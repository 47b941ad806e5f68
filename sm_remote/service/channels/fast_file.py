"""Channels in FastFile mode, beside one host's container: a read-only view of S3, read when the job reads.

Where this machine cannot show a view, the channel is downloaded instead, and the log says so. Channels of the embedded
store need none: their files are links, made without a copy. Source: SageMaker Developer Guide, "Access Training Data"
(FastFile mode): S3Prefix only.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sm_remote.home import Home, make_private
from sm_remote.service.channels.file_mode import DATA, is_viewed, list_channels, stage_channel
from sm_remote.service.channels.shards import find_shard
from sm_remote.service.engines.engine import Mount
from sm_remote.service.hosts.host import Host, list_hosts
from sm_remote.service.hosts.working_tree import WorkingTree
from sm_remote.service.storage.buckets import Buckets

logger = logging.getLogger("sm_remote.service")

_LOOK_S = 0.02
_END_S = 5.0
_MNT_DETACH = 2


def build_views(
    request: Mapping[str, Any], host: Host, tree: WorkingTree, home: Home, buckets: Buckets, say: Callable[[str], None]
) -> tuple[FastFileView, ...]:
    """What shows a host its FastFile channels of S3, one for each."""
    return tuple(
        FastFileView(channel, request, host, tree, home, buckets, say)
        for channel in list_channels(request, host)
        if is_viewed(channel, request)
    )


class FastFileView:
    """See `sm_remote.service.hosts.companions.Companion`.

    Args:
        channel: The channel.
        request: CreateTrainingJob.
        host: Who reads it.
        tree: The host's.
        home: Passed to the process that serves the view.
        buckets: For a download, where there can be no view.
        say: Appends to the host's log.
    """

    environment: Mapping[str, str] = {}

    def __init__(
        self,
        channel: Mapping[str, Any],
        request: Mapping[str, Any],
        host: Host,
        tree: WorkingTree,
        home: Home,
        buckets: Buckets,
        say: Callable[[str], None],
    ) -> None:
        self._channel = channel
        self._name: str = channel["ChannelName"]
        self._shard = find_shard(channel, host, list_hosts(request))
        self._tree = tree
        self._home = home
        self._buckets = buckets
        self._say = say
        self._point = tree.root / "fast_file" / self._name
        self._log = tree.scratch / f"fast_file-{self._name}.log"
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def mounts(self) -> Sequence[Mount]:
        """See the protocol; none where the channel was downloaded."""
        if not os.path.ismount(self._point):
            return ()
        return (Mount(source=self._point, target=f"{DATA}/{self._name}", read_only=True),)

    def prepare(self, go_on: Callable[[], None]) -> None:
        """See the protocol: mounts the view, or downloads."""
        # One that a service left when it died.
        unmount(self._point)
        make_private(self._point.parent)
        self._point.mkdir(exist_ok=True)
        self._spawn()
        while not os.path.ismount(self._point):
            go_on()
            if self._server is not None and self._server.poll() is not None:
                self._download(go_on)
                return
            time.sleep(_LOOK_S)

    def _spawn(self) -> None:
        order = {
            "data": str(self._home.data),
            "cache": str(self._home.cache),
            "channel": self._channel,
            "shard": asdict(self._shard),
            "mount_point": str(self._point),
        }
        with self._log.open("wb") as log:
            # In a session of its own: it outlives the service, as the container does.
            self._server = subprocess.Popen(
                [sys.executable, "-m", "sm_remote.service.channels.fast_file_server"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with suppress(BrokenPipeError), self._server.stdin as stdin:  # type: ignore[union-attr]
            stdin.write(json.dumps(order).encode())

    def _download(self, go_on: Callable[[], None]) -> None:
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["its server has ended"]
        self._say(f"channel {self._name} is downloaded: there is no FastFile view of it here, because {lines[-1]}")
        stage_channel(self._channel, self._shard, self._tree.data, self._buckets, go_on, self._say)

    def start(self) -> None:
        """See the protocol: nothing is left to do."""

    def finish(self) -> None:
        """See the protocol: takes the view away, which ends its server."""
        unmount(self._point)
        if self._server is None:
            return
        try:
            self._server.wait(_END_S)
        except subprocess.TimeoutExpired:
            logger.warning("The server of a FastFile view does not end; killing it")
            self._server.kill()
            self._server.wait()


def unmount(point: Path) -> None:
    """Takes a mount away, even one that is in use or whose server is dead; no error if there is none."""
    if not _is_mounted(point):
        return
    if os.geteuid() == 0:
        ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(point), _MNT_DETACH)
        return
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is not None:
        subprocess.run([program, "-u", "-z", str(point)], capture_output=True, check=False, timeout=_END_S)


def _is_mounted(point: Path) -> bool:
    try:
        return os.path.ismount(point)
    except OSError:  # its server is dead
        return True
