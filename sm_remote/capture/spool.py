"""A place to write a payload before its digest is known: memory while it is small, a private file once it is not."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from sm_remote.home import make_private
from sm_remote.wire.digest import BlobRef, HashingWriter

_IN_MEMORY_BYTES = 8 << 20


class Spool:
    """Takes bytes, knows their digest, and gives them back as something a store takes.

    Args:
        folder: Where the file is made when one is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._memory = io.BytesIO()
        self._file: io.FileIO | None = None
        self._path: Path | None = None
        self._writer = HashingWriter(self)

    def write(self, data: memoryview) -> int:
        """Called by the hashing writer with what it has begun to hash."""
        if self._file is None and self._memory.tell() + data.nbytes > _IN_MEMORY_BYTES:
            self._move_to_file()
        if self._file is None:
            return self._memory.write(data)
        done = 0
        while done < data.nbytes:
            done += self._file.write(data[done:])
        return done

    @property
    def sink(self) -> HashingWriter:
        """What to write to."""
        return self._writer

    def ref(self) -> BlobRef:
        """Digest and size of what was written."""
        return self._writer.ref()

    def source(self) -> bytes | Path:
        """What was written."""
        return self._memory.getvalue() if self._path is None else self._path

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the file, if there is one."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _move_to_file(self) -> None:
        descriptor, name = tempfile.mkstemp(dir=make_private(self._folder), prefix="payload-")
        self._path = Path(name)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._file.write(self._memory.getbuffer())
        self._memory = io.BytesIO()
