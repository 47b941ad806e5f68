"""The process that feeds the pipes of one host: ``<channel>_<epoch>``, one after the other, until the host has ended.

A process of its own, because a pipe whose writer dies looks to its reader as if the data had come to their end: the
service may be killed, and the job reads on. For the same reason whatever goes wrong here is written down and the pipe
held open: the service reads it and ends the job. All names are looked up in a directory that was opened when this
process was started: once that is removed, nothing can be fed any more, and the process ends.

Started as ``python -m sm_remote.service.channels.pipe_feeder``, with a JSON object on stdin; see `pipes`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sm_remote.home import Home, write_private
from sm_remote.service.channels.pipe_content import PipeContent
from sm_remote.service.channels.shards import Shard
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.objects import ObjectError
from sm_remote.service.storage.s3_server import open_s3_client

_LOOK_S = 0.01
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


class GoneError(Exception):
    """The directory of the pipes was removed: the host has ended."""


def make_pipe(directory: int, channel: str, epoch: int) -> str:
    """Makes the pipe of an epoch, which whatever user the image runs as may read; returns its name.

    Raises:
        GoneError: The directory is not there any more.
    """
    name = f"{channel}_{epoch}"
    try:
        os.mkfifo(name, 0o600, dir_fd=directory)
        os.chmod(name, 0o644, dir_fd=directory)
    except FileExistsError:
        pass
    except FileNotFoundError as error:
        raise GoneError from error
    return name


def open_pipe(directory: int, name: str, sleep: Callable[[float], object] = time.sleep) -> int:
    """Opens a pipe for writing once somebody reads it, without ever hanging where nobody does.

    Raises:
        GoneError: It is not there any more.
        ObjectError: It is no pipe any more.
    """
    while True:
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise GoneError from error
            if error.errno != errno.ENXIO:
                raise
            sleep(_LOOK_S)
            continue
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            # The job put a file of its own there, which would take all that it is given.
            raise ObjectError(f"{name} is no pipe any more")
        os.set_blocking(descriptor, True)
        with suppress(OSError):  # a system without it, or a user's limit
            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE_BYTES)
        return descriptor


def feed_epoch(directory: int, channel: str, epoch: int, content: Iterator[bytes]) -> None:
    """Feeds one epoch; a reader that closes the pipe early ends it. The next epoch's pipe is there before its end.

    Raises:
        GoneError: The host has ended.
        ObjectError: An object is not to be had; the pipe is left open.
    """
    name = make_pipe(directory, channel, epoch)
    descriptor = open_pipe(directory, name)
    try:
        for chunk in content:
            _write(descriptor, chunk)
    except BrokenPipeError:
        pass
    make_pipe(directory, channel, epoch + 1)
    # Whoever opened it once more would wait for ever.
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
    os.close(descriptor)


def _write(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _feed(directory: int, content: PipeContent, channel: str) -> None:
    epoch = 0
    while True:
        feed_epoch(directory, channel, epoch, content.read_epoch(epoch))
        epoch += 1


def _run(directory: int, content: PipeContent, channel: str, error_path: Path) -> None:
    try:
        _feed(directory, content, channel)
    except GoneError:
        os._exit(0)
    except ObjectError as error:
        _report(error_path, str(error))
    except BaseException as error:  # noqa: BLE001 - nothing of the job may take a dead thread for the end of its data
        _report(error_path, f"channel {channel}: {type(error).__name__}: {error}")


def _report(path: Path, text: str) -> None:
    try:
        write_private(path, text)
    except FileNotFoundError:  # the host has ended
        os._exit(0)
    except OSError:
        os._exit(1)


def main(order: Mapping[str, Any]) -> None:
    """Feeds the channels of an order until the process is ended, or the host's directory is gone."""
    home = Home(data=Path(order["data"]), cache=Path(order["cache"]))
    buckets = Buckets(home, partial(open_s3_client, home))
    threads = []
    for each in order["channels"]:
        channel = each["channel"]
        content = PipeContent(channel, Shard(**each["shard"]), buckets)
        arguments = (order["directory"], content, channel["ChannelName"], Path(order["error"]))
        threads.append(threading.Thread(target=_run, args=arguments, daemon=True))
    for thread in threads:
        thread.start()
    # A pipe that went wrong stays open for as long as the process lives: until it is ended from outside, or its
    # directory goes.
    while os.fstat(order["directory"]).st_nlink:
        time.sleep(1.0)


if __name__ == "__main__":
    main(json.load(sys.stdin))
