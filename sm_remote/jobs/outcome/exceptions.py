"""What a job's function raised, as itself: with its remote frames, and with what helps to mend it."""

from __future__ import annotations

import importlib.util
import linecache
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.capture.distributions import providers_of, read_index
from sm_remote.errors import JobFailed, ModuleMissing, RemoteError
from sm_remote.jobs.outcome.reasons import build_out_of_memory
from sm_remote.jobs.outcome.remote_traceback import build_traceback
from sm_remote.wire.outcome import OutcomeHeader, RemoteException, load_object


def rebuild_exception(description: TrainingJobDescription, path: Path, header: OutcomeHeader) -> BaseException:
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
    top = module.partition(".")[0]
    package = next((one.name for one in providers_of(module, None, read_index())), top)
    if _is_installed(top):
        why = (
            "It is installed here, but nothing that the function visibly reaches needs it, or `dependencies` leaves it "
            "out."
        )
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


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a module without a spec, such as __main__
        return module in sys.modules


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
