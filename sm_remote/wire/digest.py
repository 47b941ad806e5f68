"""The digest under which content is filed: SHA-256, over chunks where content is large, so that threads can share it.

Content of up to `CHUNK_BYTES` has its plain SHA-256. Larger content has the SHA-256 of a tag, its size and the
digests of its chunks. Nothing is skipped and nothing is copied: buffers are sliced, files are mapped.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from typing import Protocol

CHUNK_BYTES = 8 << 20
_TREE_TAG = b"sm_remote/tree/v1\0"
_MAX_THREADS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class BlobRef:
    """A content-addressed object.

    Attributes:
        digest: Its digest, 64 lower-case hexadecimal digits.
        size_bytes: Its length.
    """

    digest: str
    size_bytes: int


class Sink(Protocol):
    """Whatever bytes can be written to."""

    def write(self, data: memoryview, /) -> object:
        """Takes all of ``data``."""


def digest_bytes(data: bytes | bytearray | memoryview) -> str:
    """The digest of a buffer, which is only read."""
    hasher = Hasher()
    hasher.update(data)
    return hasher.digest()


def digest_file(path: str | os.PathLike[str]) -> str:
    """The digest of a file's content.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size <= CHUNK_BYTES:
            return digest_bytes(file.read())
        import mmap  # here: most files in a job are small

        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            return digest_bytes(view)


class Hasher:
    """A digest computed as the content goes by.

    Attributes:
        size_bytes: How much has gone by.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self._chunk_digests: list[bytes] = []
        self._open_chunk = hashlib.sha256()
        self._open_bytes = 0
        self._threads: list[threading.Thread] = []

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Takes the next part of the content, of any length."""
        self.begin(data)
        self.finish()

    def begin(self, data: bytes | bytearray | memoryview) -> None:
        """Like `update`, but whole chunks are still being hashed when it returns.

        ``data`` must stay as it is, and nothing else may be called, until `finish` has returned.
        """
        view = flat_view(data)
        self.size_bytes += view.nbytes
        if self._open_bytes:
            head = view[: CHUNK_BYTES - self._open_bytes]
            self._extend_open_chunk(head)
            view = view[head.nbytes :]
        count = view.nbytes // CHUNK_BYTES
        if count:
            self._begin_chunks(view, count)
            view = view[count * CHUNK_BYTES :]
        if view.nbytes:
            self._extend_open_chunk(view)

    def finish(self) -> None:
        """Waits until what `begin` was given has been hashed."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def digest(self) -> str:
        """The digest of all that has gone by."""
        if self.size_bytes <= CHUNK_BYTES:
            return self._chunk_digests[0].hex() if self._chunk_digests else self._open_chunk.hexdigest()
        tree = hashlib.sha256(_TREE_TAG + self.size_bytes.to_bytes(8, "little"))
        tree.update(b"".join(self._chunk_digests))
        if self._open_bytes:
            tree.update(self._open_chunk.digest())
        return tree.hexdigest()

    def _extend_open_chunk(self, view: memoryview) -> None:
        self._open_chunk.update(view)
        self._open_bytes += view.nbytes
        if self._open_bytes == CHUNK_BYTES:
            self._chunk_digests.append(self._open_chunk.digest())
            self._open_chunk = hashlib.sha256()
            self._open_bytes = 0

    def _begin_chunks(self, view: memoryview, count: int) -> None:
        first = len(self._chunk_digests)
        self._chunk_digests += [b""] * count
        stripes = min(_MAX_THREADS, os.cpu_count() or 1, count)

        def hash_stripe(stripe: int) -> None:
            for index in range(stripe, count, stripes):
                chunk = view[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
                self._chunk_digests[first + index] = hashlib.sha256(chunk).digest()

        for stripe in range(stripes):
            thread = threading.Thread(target=hash_stripe, args=(stripe,), daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the container's limit of threads is reached
                hash_stripe(stripe)
            else:
                self._threads.append(thread)


class HashingWriter:
    """Writes to a file and hashes what it writes at the same time, in other threads.

    Attributes:
        hasher: Knows digest and size of what was written so far.
    """

    def __init__(self, file: Sink) -> None:
        self.hasher = Hasher()
        self._file = file

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Writes all of ``data``; it is no longer needed when this returns."""
        view = flat_view(data)
        self.hasher.begin(view)
        try:
            self._file.write(view)
        finally:
            self.hasher.finish()
        return view.nbytes

    def ref(self) -> BlobRef:
        """What was written, as an object."""
        return BlobRef(digest=self.hasher.digest(), size_bytes=self.hasher.size_bytes)


def flat_view(data: bytes | bytearray | memoryview) -> memoryview:
    """The bytes of a contiguous buffer as one row, not copied."""
    view = memoryview(data)
    if view.ndim == 1 and view.format == "B":
        return view
    return view.cast("B") if view.nbytes else memoryview(b"")
