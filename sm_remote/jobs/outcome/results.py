"""Turns an ended job into its value or its error. Nothing is unpickled before its digest was checked."""

from __future__ import annotations

import atexit
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sm_remote.aws.refusals import explain_expired
from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.errors import CorruptBlob, CredentialsExpired, OutcomeMissing, ServiceUnavailable, StorageError
from sm_remote.jobs.outcome.exceptions import rebuild_exception
from sm_remote.jobs.outcome.reasons import explain_failure, explain_stop
from sm_remote.spec import TrainingJobStatus
from sm_remote.storage import Store
from sm_remote.storage.store import NO_CREDENTIALS
from sm_remote.wire import layout
from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.launch import read_manifest_digest
from sm_remote.wire.marker import is_digest, parse_marker
from sm_remote.wire.outcome import OutcomeHeader, load_object, read_header

TAIL_LINES = 200
_PIECE_BYTES = 1 << 20


class OutOfReachError(Exception):
    """The API or the store did not answer, which says nothing about the job; the cause says why."""


@contextmanager
def reaching() -> Iterator[None]:
    """Tells what may be there at the next try from what is not there or not whole.

    Raises:
        OutOfReachError: The API or the store did not answer.
    """
    try:
        yield
    except (ServiceUnavailable, CredentialsExpired) as error:
        raise OutOfReachError from error
    except StorageError as error:
        if error.facts.get("code") == NO_CREDENTIALS:
            raise OutOfReachError from explain_expired(error.why)
        if isinstance(error, CorruptBlob) or error.facts.get("missing") is not False:
            raise
        raise OutOfReachError from error


def find_marker(lines: Sequence[str], description: TrainingJobDescription) -> BlobRef | None:
    """The digest of the outcome as the job's own supervisor logged it last, or None."""
    manifest_digest = read_manifest_digest(description.arguments)
    if manifest_digest is None:
        return None
    for line in reversed(lines):
        found = parse_marker(line, manifest_digest)
        if found is not None:
            return found
    return None


def conclude(description: TrainingJobDescription, *, store: Store, tail: Sequence[str]) -> Any:
    """Returns the job's value, or raises what it ended with.

    Args:
        description: Of the ended job.
        store: The one below ``description.output_uri``.
        tail: The newest lines of its log, the marker line among them.

    Raises:
        JobStopped: It was stopped.
        TimedOut: It ran into ``max_runtime_in_seconds``.
        JobFailed: It failed without an exception of the user's.
        OutcomeMissing: Its outcome is absent, altered or unreadable here.
        OutOfReachError: The store did not answer.
        BaseException: The user's own exception, with the remote frames in its traceback.
    """
    if description.status is TrainingJobStatus.STOPPED:
        raise explain_stop(description)
    marker = find_marker(tail, description)
    if marker is None:
        if read_manifest_digest(description.arguments) is None and description.status is TrainingJobStatus.COMPLETED:
            return None  # a job that is no function has no value
        raise explain_failure(description, tail)
    path, header = open_outcome(description, store, marker)
    if header.kind == "value" and _has_failed_elsewhere(description):
        raise explain_failure(description, tail)
    if header.kind == "value":
        return _load_value(description, path, header)
    raise rebuild_exception(description, path, header)


def _has_failed_elsewhere(description: TrainingJobDescription) -> bool:
    """Whether another host than the first, which has a value, has failed."""
    return description.status is TrainingJobStatus.FAILED and description.host_count > 1


def open_outcome(description: TrainingJobDescription, store: Store, marker: BlobRef) -> tuple[Path, OutcomeHeader]:
    """Fetches an outcome, checks it against the job's own record, and reads its header.

    Raises:
        OutcomeMissing: It is absent or altered.
        OutOfReachError: The store did not answer.
    """
    path = _fetch_outcome(description, store, marker)
    return path, read_header(path)


def _fetch_outcome(description: TrainingJobDescription, store: Store, marker: BlobRef) -> Path:
    archived = description.compressed
    key = (layout.output_archive_key if archived else layout.outcome_key)(description.name)
    try:
        with reaching():
            found = store.fetch(key)
        path = _unpack_outcome(found, marker) if archived else found
    except StorageError as error:
        raise OutcomeMissing(
            f"The outcome of {description.name} cannot be read from {store.uri(key)}.",
            why=str(error),
            fix="If the object was deleted, its value is lost: run the function again.",
            job_name=description.name,
        ) from error
    size_bytes = path.stat().st_size
    if size_bytes != marker.size_bytes or digest_file(path) != marker.digest:
        raise OutcomeMissing(
            f"The outcome of {description.name} is not what the job wrote: it was not loaded.",
            why=f"{store.uri(key)} has {size_bytes} bytes, or a digest, that differ from the job's own record "
            f"({marker.size_bytes} bytes, {marker.digest[:16]}...).",
            fix="Somebody or something altered it. Run the function again, and look at who can write the bucket.",
            job_name=description.name,
        ) from CorruptBlob(f"{store.uri(key)} was altered.")
    return path


def _unpack_outcome(archive: Path, marker: BlobRef) -> Path:
    """Takes the outcome out of a compressed job's archive; loading maps the file, so it goes to disk."""
    directory = Path(tempfile.mkdtemp(prefix="sm_remote-outcome-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    target = directory / marker.digest
    try:
        with tarfile.open(archive, "r:gz") as tar:
            member = tar.extractfile(layout.OUTCOME)
            if member is None:
                raise StorageError(f"{archive} holds no {layout.OUTCOME}.")
            with member, target.open("wb") as file:
                _copy(member, file, marker.size_bytes + 1)  # whoever can write the bucket could fill the disk
    except (tarfile.TarError, EOFError, zlib.error, KeyError) as error:
        raise StorageError(f"{archive} is no archive with {layout.OUTCOME} in it.", why=str(error)) from error
    return target


def _copy(source: IO[bytes], target: IO[bytes], most_bytes: int) -> None:
    while most_bytes > 0 and (piece := source.read(min(most_bytes, _PIECE_BYTES))):
        most_bytes -= target.write(piece)


def discard_corrupt(error: CorruptBlob, store: Store) -> None:
    """Deletes the blob that a job refused, if it is the store's that has other bytes: the next call stores it anew.

    Args:
        error: As the job raised it.
        store: The one with the job's blobs.

    Raises:
        StorageError: The store cannot be read or written.
    """
    digest = str(error.facts.get("digest"))
    if is_digest(digest) and digest_file(store.fetch(layout.blob_key(digest))) != digest:
        store.delete(layout.blob_key(digest))


def _load_value(description: TrainingJobDescription, path: Path, header: OutcomeHeader) -> Any:
    try:
        return load_object(path, header)
    except Exception as error:
        raise OutcomeMissing(
            f"The value of {description.name} arrived, but cannot be unpickled here: {type(error).__name__}: {error}",
            why="Its classes come from a module that is absent or different in this process.",
            fix=f"Install it here, then `attach({description.name!r}).result()`; the value is kept at {path}.",
            job_name=description.name,
        ) from error
