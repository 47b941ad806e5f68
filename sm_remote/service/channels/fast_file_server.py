"""The process that shows a channel's objects of S3 as read-only files, by FUSE, without downloading them first.

A process of its own, because a view whose server dies is lost to the container that reads it: the service may be
killed, and the job reads on. It ends when the view is unmounted.

Started as ``python -m sm_remote.service.channels.fast_file_server``, with a JSON object on stdin; see `fast_file`. What
is wrong is the last line of its stderr.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sm_remote.home import Home
from sm_remote.service.channels.block_cache import BlockCache
from sm_remote.service.channels.shards import Shard
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.object_tree import Directory, StoredObject, build_tree, find_entry
from sm_remote.service.storage.objects import ObjectError, parse_uri
from sm_remote.service.storage.remote_bucket import RemoteBucket
from sm_remote.service.storage.s3_server import open_s3_client

_FOREVER_S = 86400


def list_view(channel: Mapping[str, Any], shard: Shard, bucket: RemoteBucket) -> Directory:
    """The tree of a channel's objects.

    Raises:
        ObjectError: S3 refuses, or a key cannot be a path.
    """
    key = parse_uri(channel["DataSource"]["S3DataSource"]["S3Uri"]).key
    base = key[: key.rfind("/") + 1]
    found = [stored for stored in bucket.list_objects(key) if not stored.key.endswith("/")]
    try:
        return build_tree((stored.key[len(base) :], stored) for stored in shard.select(found))
    except ValueError as error:
        raise ObjectError(str(error)) from error


def build_attributes(entry: Directory | StoredObject) -> dict[str, Any]:
    """What stat() tells of an entry: everybody may read, nobody may write."""
    if isinstance(entry, Directory):
        return {"st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2}
    times = dict.fromkeys(("st_mtime", "st_ctime", "st_atime"), entry.modified_at)
    return {"st_mode": stat.S_IFREG | 0o444, "st_nlink": 1, "st_size": entry.size_bytes, **times}


def serve(tree: Directory, cache: BlockCache, mount_point: str) -> None:
    """Mounts a tree, and serves it until it is unmounted.

    Raises:
        ImportError: The library for FUSE is missing.
        OSError: So is libfuse.
        RuntimeError: This machine mounts nothing; libfuse has said why on stderr.
    """
    import mfusepy

    class View(mfusepy.Operations):  # type: ignore[misc]
        # Times are floats.
        use_ns = False

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            return build_attributes(self._find(path))

        def readdir(self, path: str, fh: int) -> list[str]:
            entry = self._find(path)
            if not isinstance(entry, Directory):
                raise mfusepy.FuseOSError(errno.ENOTDIR)
            return [".", "..", *entry.entries]

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            entry = self._find(path)
            if isinstance(entry, Directory):
                raise mfusepy.FuseOSError(errno.EISDIR)
            try:
                return cache.read(entry, offset, size)
            except ObjectError as error:
                print(error, file=sys.stderr, flush=True)  # noqa: T201 - the process's log
                raise mfusepy.FuseOSError(errno.EIO) from error

        def _find(self, path: str) -> Directory | StoredObject:
            entry = find_entry(tree, path)
            if entry is None:
                raise mfusepy.FuseOSError(errno.ENOENT)
            return entry

    mfusepy.FUSE(
        View(),
        mount_point,
        foreground=True,
        ro=True,
        # The daemon that makes containers, and the users in them, are not this process's.
        allow_other=True,
        kernel_cache=True,
        entry_timeout=_FOREVER_S,
        attr_timeout=_FOREVER_S,
        fsname="sm_remote",
    )


def main(order: Mapping[str, Any]) -> None:
    """Shows the channel of an order.

    Raises:
        SystemExit: It cannot be shown; the text says why.
    """
    channel = order["channel"]
    home = Home(data=Path(order["data"]), cache=Path(order["cache"]))
    try:
        bucket = Buckets(home, partial(open_s3_client, home)).find(
            parse_uri(channel["DataSource"]["S3DataSource"]["S3Uri"])
        )
        if not isinstance(bucket, RemoteBucket):
            raise SystemExit("the embedded store needs no view")
        if not os.path.exists("/dev/fuse"):
            raise SystemExit("this machine has no /dev/fuse")
        tree = list_view(channel, Shard(**order["shard"]), bucket)
        serve(tree, BlockCache(bucket.read_range), order["mount_point"])
    except ImportError:
        raise SystemExit("the library mfusepy is missing (pip install 'sm-remote[fastfile]')") from None
    except ObjectError as error:
        raise SystemExit(str(error)) from error
    except RuntimeError as error:
        raise SystemExit(f"FUSE refuses to mount ({error})") from error
    except OSError as error:
        raise SystemExit(f"{error} (apt-get install fuse3)") from error


if __name__ == "__main__":
    main(json.load(sys.stdin))
