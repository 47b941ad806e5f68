"""Reads objects in blocks, of which a bounded number is kept: a reader of a file asks for a few kilobytes at a time,
and each request to S3 costs as much as some megabytes. The block after the one that is read is fetched ahead.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sm_remote.service.storage.object_tree import StoredObject

BLOCK_BYTES = 4 << 20
_BLOCKS = 32
_WORKERS = 8


class BlockCache:
    """Blocks of objects.

    Args:
        fetch: Reads so many bytes of an object from an offset on.
        block_bytes: How large a block is.
        blocks: How many are kept.
    """

    def __init__(
        self,
        fetch: Callable[[StoredObject, int, int], bytes],
        *,
        block_bytes: int = BLOCK_BYTES,
        blocks: int = _BLOCKS,
    ) -> None:
        self._fetch = fetch
        self._block_bytes = block_bytes
        self._blocks = blocks
        self._kept: OrderedDict[tuple[str, int], Future[bytes]] = OrderedDict()
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="block")

    def read(self, stored: StoredObject, offset: int, size_bytes: int) -> bytes:
        """Reads bytes of an object, fewer at its end.

        Raises:
            Exception: What ``fetch`` raises; the next reader tries again.
        """
        end = min(offset + size_bytes, stored.size_bytes)
        pieces = []
        while offset < end:
            number, start = divmod(offset, self._block_bytes)
            piece = self._get(stored, number)[start : start + end - offset]
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def _get(self, stored: StoredObject, number: int) -> bytes:
        with self._lock:
            follows = (stored.key, number - 1) in self._kept or number == 0
            block = self._ask(stored, number)
            if follows and (number + 1) * self._block_bytes < stored.size_bytes:
                self._ask(stored, number + 1)
        try:
            return block.result()
        except BaseException:
            with self._lock:
                if self._kept.get((stored.key, number)) is block:
                    del self._kept[stored.key, number]
            raise

    def _ask(self, stored: StoredObject, number: int) -> Future[bytes]:
        key = (stored.key, number)
        if key not in self._kept:
            start = number * self._block_bytes
            size_bytes = min(self._block_bytes, stored.size_bytes - start)
            self._kept[key] = self._workers.submit(self._fetch, stored, start, size_bytes)
            if len(self._kept) > self._blocks:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
