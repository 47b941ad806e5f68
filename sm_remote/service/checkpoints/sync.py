"""Brings S3 into step with one host's checkpoints: one look at the files, and what follows from it.

A file is uploaded from a copy, and only if it was the same before and after copying: what lies in S3 is never half a
checkpoint, even where SageMaker itself would have uploaded one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sm_remote.service.checkpoints.changes import (
    UPLOADED,
    UPLOADING,
    Stillness,
    find_stale_markers,
    is_synchronised,
)
from sm_remote.service.checkpoints.job_files import (
    JobFile,
    is_file_there,
    is_open_for_writing,
    open_directory,
    open_file,
    read_stamp,
    scan_tree,
)
from sm_remote.service.checkpoints.ledger import CheckpointLedger
from sm_remote.service.storage.objects import Bucket, ObjectError, ObjectUri

SETTLE_S = 3.0
"""How long a file must have stood still."""
_SETTLE_OPEN_S = 30.0
"""The same for one that a process still has open for writing, such as a log: it may be in the middle of something."""
_WORKERS = 4
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointPlaces:
    """Where the checkpoints of one host lie.

    Attributes:
        directory: On this host.
        inside: In the container: CheckpointConfig.LocalPath.
        bucket: Of CheckpointConfig.S3Uri.
        uri: CheckpointConfig.S3Uri; several hosts of a job have the same one.
        scratch: For copies; nobody else's.
    """

    directory: Path
    inside: str
    bucket: Bucket
    uri: ObjectUri
    scratch: Path

    @property
    def prefix(self) -> str:
        """What all keys begin with: S3Uri is taken as a directory, with or without a slash at its end."""
        return f"{self.uri.key.rstrip('/')}/" if self.uri.key.rstrip("/") else ""

    def key(self, relative: str) -> str:
        """The key of a file's object."""
        return self.prefix + relative


class CheckpointSync:
    """Synchronises, whenever it is told to.

    Args:
        places: What with what.
        ledger: What S3 has.
        clock: Seconds that only grow.
        reach: Told each point at which a crash must do no harm.
    """

    def __init__(
        self,
        places: CheckpointPlaces,
        ledger: CheckpointLedger,
        clock: Callable[[], float],
        reach: Callable[[str], None],
    ) -> None:
        self._places = places
        self._reach = reach
        self._ledger = ledger
        self._clock = clock
        self._stillness = Stillness()

    def synchronise(self, go_on: Callable[[], bool]) -> list[str]:
        """Uploads what has settled, and deletes what has been gone for as long; returns what went wrong.

        Args:
            go_on: Asked before each file; once it says no, the rest is left for later.
        """
        return self._synchronise(SETTLE_S, go_on)

    def flush(self, go_on: Callable[[], bool]) -> list[str]:
        """Uploads and deletes everything, settled or not; the container has ended."""
        return self._synchronise(0.0, go_on)

    def _synchronise(self, settle_s: float, go_on: Callable[[], bool]) -> list[str]:
        now = self._clock()
        scan = scan_tree(self._places.directory, self._places.inside)
        self._remove_markers(find_stale_markers(scan.files))
        changed = [
            file for relative, file in scan.files.items() if is_synchronised(relative) and not self._ledger.has(file)
        ]
        gone = [path for path in sorted(self._ledger.paths - scan.files.keys()) if scan.knows_about(path)]
        self._stillness.observe(changed, gone, now)
        uploads = [file for file in changed if self._stillness.age_s(file.relative, now) >= settle_s]
        deletions = [path for path in gone if self._stillness.age_s(path, now) >= settle_s]
        problems = [f"{self._places.inside}/{path}: {why}" for path, why in scan.unreadable.items()]
        if uploads or deletions:
            # Deletions first: a file may have taken the name of a directory.
            self._ledger.begin(uploads)
            self._reach("checkpoints.before_delete")
            problems += self._delete(deletions, go_on)
            self._reach("checkpoints.before_upload")
            problems += self._upload(uploads, settle_s, go_on)
            self._reach("checkpoints.before_save")
            self._ledger.save()
        return problems

    def _delete(self, paths: Iterable[str], go_on: Callable[[], bool]) -> list[str]:
        problems = []
        for relative in paths:
            if not go_on():
                break
            if is_file_there(self._places.directory, relative):
                continue
            try:
                self._places.bucket.delete(self._places.key(relative))
            except ObjectError as error:
                problems.append(str(error))
            else:
                self._ledger.forget(relative)
        return problems

    def _upload(self, files: list[JobFile], settle_s: float, go_on: Callable[[], bool]) -> list[str]:
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="checkpoints") as workers:
            found = workers.map(lambda file: self._upload_one(file, settle_s) if go_on() else None, files)
            return [problem for problem in found if problem is not None]

    def _upload_one(self, file: JobFile, settle_s: float) -> str | None:
        """Uploads one file if it is still the same and whole; returns what went wrong."""
        try:
            copy = self._copy(file, settle_s)
            if copy is not None:
                self._publish(file, copy)
            elif not settle_s:
                return f"{self._places.inside}/{file.relative}: it is still being written"
        except FileNotFoundError:
            return None  # deleted meanwhile: the next look deletes its object
        except OSError as error:
            return f"{self._places.inside}/{file.relative}: {error.strerror or error}"
        except ObjectError as error:
            return str(error)
        return None

    def _copy(self, file: JobFile, settle_s: float) -> Path | None:
        """A copy of a file, or None if it is not to be uploaded yet."""
        with open_file(self._places.directory, file.source) as source:
            patient = settle_s and self._stillness.age_s(file.relative, self._clock()) < _SETTLE_OPEN_S
            if patient and is_open_for_writing(source):
                return None
            self._places.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self._places.scratch)
            copy = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as target, os.fdopen(os.dup(source), "rb") as content:
                    shutil.copyfileobj(content, target, _COPY_BYTES)
                if read_stamp(source) == file.stamp:
                    return copy
            except BaseException:
                copy.unlink()
                raise
        copy.unlink()
        return None

    def _publish(self, file: JobFile, copy: Path) -> None:
        self._mark(file.relative, UPLOADING)
        try:
            self._places.bucket.publish(copy, self._places.key(file.relative))
        except BaseException:
            self._remove_markers([file.relative + UPLOADING])
            raise
        finally:
            copy.unlink(missing_ok=True)
        self._ledger.finish(file)
        self._mark_done(file.relative)

    def _mark(self, relative: str, suffix: str) -> None:
        """Leaves a marker beside a file, where the container's user lets us."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with suppress(OSError), open_directory(self._places.directory, os.path.dirname(relative)) as parent:
            descriptor = os.open(os.path.basename(relative) + suffix, flags, 0o644, dir_fd=parent)
            try:
                # Whatever the umask: the container's user reads directories that hold it.
                os.fchmod(descriptor, 0o644)
            finally:
                os.close(descriptor)

    def _mark_done(self, relative: str) -> None:
        name = os.path.basename(relative)
        with suppress(OSError), open_directory(self._places.directory, os.path.dirname(relative)) as parent:
            os.rename(name + UPLOADING, name + UPLOADED, src_dir_fd=parent, dst_dir_fd=parent)

    def _remove_markers(self, markers: Iterable[str]) -> None:
        for relative in markers:
            with suppress(OSError), open_directory(self._places.directory, os.path.dirname(relative)) as parent:
                os.unlink(os.path.basename(relative), dir_fd=parent)
