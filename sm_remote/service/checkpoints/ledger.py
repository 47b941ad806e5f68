"""Which checkpoints of one host are in S3 as they are here, kept on disk so that a restarted service knows it, too.

A path is noted before its file is uploaded: however the service dies, it knows of every object that it may have made,
and can delete it when the file is gone. Nothing else is ever deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from sm_remote.home import write_private
from sm_remote.service.checkpoints.job_files import JobFile, Stamp


class CheckpointLedger:
    """The files that S3 has or may have.

    Args:
        path: Where the ledger is written.
        stamps: What is known: the stamp of a file as it was uploaded or restored; None where an upload was begun.
    """

    def __init__(self, path: Path, stamps: dict[str, Stamp | None]) -> None:
        self._path = path
        self._stamps = stamps

    @property
    def paths(self) -> set[str]:
        """All paths that S3 has or may have."""
        return set(self._stamps)

    def has(self, file: JobFile) -> bool:
        """Whether S3 has this very content."""
        return self._stamps.get(file.relative) == file.stamp

    def begin(self, files: Iterable[JobFile]) -> None:
        """Notes, durably, that files are about to be uploaded."""
        self._stamps.update(dict.fromkeys((file.relative for file in files), None))
        self.save()

    def finish(self, file: JobFile) -> None:
        """Notes that a file is there; durable with the next `save`."""
        self._stamps[file.relative] = file.stamp

    def forget(self, relative: str) -> None:
        """Notes that an object is gone; durable with the next `save`."""
        self._stamps.pop(relative, None)

    def save(self) -> None:
        """Writes the ledger, whole or not at all."""
        rows = {
            path: stamp and [stamp.size_bytes, stamp.mtime_ns, stamp.ctime_ns, stamp.inode]
            for path, stamp in self._stamps.items()
        }
        write_private(self._path, json.dumps(rows))


def load_ledger(path: Path) -> CheckpointLedger | None:
    """Reads a ledger; None where none was written: nothing was restored completely."""
    try:
        rows = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return CheckpointLedger(path, {relative: Stamp(*row) if row else None for relative, row in rows.items()})
