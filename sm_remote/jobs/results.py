"""Turns an ended job into its value or its error. Nothing is unpickled before its digest was checked."""

from __future__ import annotations

import atexit
import importlib.util
import linecache
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.costs import read_mark, render_usd
from sm_remote.errors import (
    CorruptBlob,
    CredentialsExpired,
    JobError,
    JobFailed,
    JobStopped,
    MaxCostReached,
    ModuleMissing,
    OutcomeMissing,
    OutOfMemory,
    RemoteError,
    ServiceUnavailable,
    StorageError,
    TimedOut,
)
from sm_remote.jobs.remote_traceback import build_traceback
from sm_remote.spec import SecondaryStatus, TrainingJobStatus
from sm_remote.storage import Store
from sm_remote.wire import layout
from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.launch import read_manifest_digest
from sm_remote.wire.marker import is_digest, parse_marker
from sm_remote.wire.outcome import OutcomeHeader, RemoteException, load_object, read_header

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
        raise _explain_stop(description)
    marker = find_marker(tail, description)
    if marker is None:
        if read_manifest_digest(description.arguments) is None and description.status is TrainingJobStatus.COMPLETED:
            return None  # a job that is no function has no value
        raise _explain_failure(description, tail)
    path, header = open_outcome(description, store, marker)
    if header.kind == "value" and _has_failed_elsewhere(description):
        raise _explain_failure(description, tail)
    if header.kind == "value":
        return _load_value(description, path, header)
    raise _rebuild_exception(description, path, header)


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


def _explain_stop(description: TrainingJobDescription) -> JobError:
    name = description.name
    if description.secondary_status is SecondaryStatus.MAX_RUNTIME_EXCEEDED:
        limit_s = description.raw.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        mark = read_mark(description.raw.get("Environment"))
        if mark is not None and mark.limits.max_cost is not None and limit_s is not None and limit_s < mark.runtime_s:
            return MaxCostReached(
                f"Training job {name} reached max_cost ({render_usd(mark.limits.max_cost)}) after {limit_s} s and was "
                "stopped.",
                why="SageMaker stops it after the time that max_cost pays for at on-demand prices.",
                fix="Raise max_cost, use a cheaper instance_type, or save checkpoints and call again.",
                job_name=name,
                limit_s=limit_s,
                max_cost=mark.limits.max_cost,
            )
        return TimedOut(
            f"Training job {name} ran into its limit of {limit_s} s and was stopped.",
            why="max_runtime_in_seconds was reached.",
            fix="Raise max_runtime_in_seconds, use a faster instance_type, or save checkpoints.",
            job_name=name,
            limit_s=limit_s,
        )
    if description.secondary_status is SecondaryStatus.MAX_WAIT_TIME_EXCEEDED:
        return TimedOut(f"Training job {name} waited for spot capacity longer than it was allowed to.", job_name=name)
    return JobStopped(
        f"Training job {name} was stopped.",
        why="Somebody asked for it: an interrupt, stop() or `sm-remote stop`.",
        job_name=name,
    )


_MEMORY_WORDS = re.compile(r"OutOfMemory|instance type with more memory|out of memory", re.IGNORECASE)
_AROUND_REASON = re.compile(r"\AAlgorithmError: (\S.*), exit code: \d+\Z", re.DOTALL)
_BYTES = re.compile(r"(limit|peak) (\d+) bytes")


def _explain_failure(description: TrainingJobDescription, tail: Sequence[str]) -> JobError:
    """The error of a job that left no outcome, from FailureReason and the log."""
    name, reason = description.name, description.failure_reason or ""
    shown = "\n".join(line for line in tail[-5:])
    if description.status is TrainingJobStatus.COMPLETED:
        return OutcomeMissing(
            f"Training job {name} completed, but its log holds no record of an outcome.",
            fix=f"See the log: `sm-remote logs {name}`.",
            job_name=name,
        )
    if _MEMORY_WORDS.search(reason):
        found = {kind: int(number) for kind, number in _BYTES.findall(reason)}
        return build_out_of_memory(description, limit_bytes=found.get("limit"), peak_bytes=found.get("peak"))
    return JobFailed(
        f"Training job {name} failed.",
        why=render_reason(reason) or "SageMaker gave no reason." + (f" Its last lines:\n{shown}" if shown else ""),
        fix=f"See the log: `sm-remote logs {name}`.",
        job_name=name,
        failure_reason=reason,
    )


def build_out_of_memory(
    description: TrainingJobDescription, *, limit_bytes: int | None, peak_bytes: int | None
) -> OutOfMemory:
    """The error of a job that needed more memory than it had."""
    known = [f"used {_render_size(peak_bytes)}"] if peak_bytes else []
    known += [f"limit {_render_size(limit_bytes)}"] if limit_bytes else []
    known += [description.instance_type] if description.instance_type else []
    return OutOfMemory(
        f"Training job {description.name} ran out of memory" + (f" ({', '.join(known)})." if known else "."),
        why=render_reason(description.failure_reason or ""),
        fix="Use an instance_type with more memory, or less data at a time.",
        job_name=description.name,
        limit_bytes=limit_bytes,
        peak_bytes=peak_bytes,
    )


def render_reason(reason: str) -> str:
    """A FailureReason without what SageMaker puts around the job's own words, where there are any."""
    return _AROUND_REASON.sub(r"\1", reason)


def _render_size(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"


def _rebuild_exception(description: TrainingJobDescription, path: Path, header: OutcomeHeader) -> BaseException:
    """The user's exception as itself, its traceback going on through the remote frames."""
    _remember_sources(header)
    original = _load_exception(path, header)
    if original is not None:
        _attach_chain(original, header.chain)
    raised = header.chain[0]
    if raised.type in ("builtins.MemoryError",):
        memory = build_out_of_memory(
            description, limit_bytes=header.memory_limit_bytes, peak_bytes=header.peak_memory_bytes
        )
        memory.__cause__ = original
        return memory
    if isinstance(original, ModuleNotFoundError) and header.missing_module:
        return _explain_missing_module(description, original, header.missing_module)
    if isinstance(original, Exception) and header.note is None:
        add_note(original, f"Raised in training job {description.name}.")
        if isinstance(original, FileNotFoundError):
            explain_missing_file(original)
        return original
    failed = _build_failed(description, header)
    failed.__cause__ = original
    return failed


def explain_missing_file(error: FileNotFoundError) -> None:
    """Notes of a file that is missed in the job and lies here that files do not travel."""
    if isinstance(error.filename, str) and os.path.exists(error.filename):
        add_note(
            error,
            f"{error.filename!r} is here, but files do not travel: pass what is in it as an argument, or give its "
            "place in S3: @remote(inputs={'train': 's3://...'}).",
        )


def _build_failed(description: TrainingJobDescription, header: OutcomeHeader) -> JobFailed:
    raised = header.chain[0]
    short = raised.type.removeprefix("builtins.")
    where = [f"  at {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in raised.frames[-3:]]
    return JobFailed(
        f"Training job {description.name} failed: {short}: {raised.text}".rstrip(": "),
        why="\n".join([*([header.note] if header.note else []), *where]),
        fix=f"See the log: `sm-remote logs {description.name}`.",
        job_name=description.name,
        failure_reason=description.failure_reason,
        exception_type=raised.type,
    )


def _explain_missing_module(
    description: TrainingJobDescription, original: ModuleNotFoundError, module: str
) -> ModuleMissing:
    package = module.partition(".")[0]
    if _is_installed(package):
        why = "It is installed here, but nothing that the function visibly reaches needs it."
        fix = "Import it where the function is defined or inside the function, or name its package"
    else:
        why = "It is not installed here either."
        fix = "Correct its name, or install it here and call again, or name its package"
    error = ModuleMissing(
        f"Training job {description.name} has no module named {module!r}.",
        why=why,
        fix=f"{fix}: @remote(dependencies=[{package!r}]). `.explain(...)` lists what travels.",
        job_name=description.name,
        module=module,
    )
    error.name = module
    error.__cause__ = original
    return error


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a module without a spec, such as __main__
        return package in sys.modules


def _load_exception(path: Path, header: OutcomeHeader) -> BaseException | None:
    if not header.pickled:
        return None
    try:
        loaded = load_object(path, header)
    except Exception:  # noqa: BLE001 - the user's __reduce__ may raise anything; the text remains
        return None
    return loaded if isinstance(loaded, BaseException) else None


def _attach_chain(original: BaseException, chain: Sequence[RemoteException]) -> None:
    """Gives each exception of a chain its remote frames; pickle dropped them."""
    current: BaseException | None = original
    for link, following in zip(chain, [*chain[1:], None], strict=True):
        if current is None:
            return
        current.__traceback__ = build_traceback(link.frames)
        if following is None:
            return
        successor = current.__cause__ if following.relation == "cause" else current.__context__
        if successor is None:
            successor = RemoteError(f"{following.type}: {following.text}")
            if following.relation == "cause":
                current.__cause__ = successor
            else:
                current.__context__ = successor
        current = successor


def _remember_sources(header: OutcomeHeader) -> None:
    """Lets tracebacks show source lines of files that are not on this machine."""
    for filename, text in header.sources.items():
        if filename not in linecache.cache and not Path(filename).exists():
            lines = text.splitlines(keepends=True)
            # A modification time of None tells linecache never to look for the file.
            linecache.cache[filename] = (len(text), None, lines, filename)


def add_note(error: BaseException, note: str) -> None:
    """Adds a line below an exception's message. Python 3.10 has no notes: there only the attribute is set."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        error.__notes__ = [*getattr(error, "__notes__", []), note]
