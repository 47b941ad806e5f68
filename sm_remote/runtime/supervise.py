"""The parent of a job's function: it starts it, passes signals on, and says how it ended.

The function runs in a forked child, so that nothing it does (``os._exit(0)``, a crash in native code, a kill for
memory) can pass for success: only this process publishes an outcome, and its exit code is a failure until it has.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from sm_remote.errors import JobFailed
from sm_remote.runtime.checkpoint_watch import watch_checkpoints
from sm_remote.runtime.children import Ending, run_children
from sm_remote.runtime.environment import set_environment
from sm_remote.runtime.load import read_manifest
from sm_remote.runtime.memory import ControlGroup
from sm_remote.runtime.ranks import Rank, list_local_ranks
from sm_remote.runtime.run import Job
from sm_remote.wire.layout import LAUNCHER_VARIABLE, MPIRUN, OUTCOME, SECRET_PREFIX, UNPUBLISHED_OUTCOME, ml_path
from sm_remote.wire.marker import format_marker

REFUSED_EXIT_CODE = 13


def main(manifest_digest: str, workspace: str) -> NoReturn:
    """Runs the job that a manifest describes, and ends this process. The verifier in the request calls it.

    Args:
        manifest_digest: From the request.
        workspace: A private directory; it holds the zip that this module comes from and is removed at the end.
    """
    exit_code = 1
    try:
        exit_code = _supervise(manifest_digest, workspace)
    except Exception as error:  # noqa: BLE001 - the reason must reach the failure file, whatever it is
        _refuse(f"sm_remote: the runtime failed: {type(error).__name__}: {error}")
    finally:
        _remove(workspace)
        _flush()
        os._exit(exit_code)


def _supervise(manifest_digest: str, workspace: str) -> int:
    try:
        manifest = read_manifest(manifest_digest)
    except (OSError, ValueError) as error:
        _refuse(f"sm_remote: The manifest was refused, so nothing was run: {error}")
        return REFUSED_EXIT_CODE
    set_environment()
    may_have_secrets = any(name.startswith(SECRET_PREFIX) for name in os.environ)
    group = ControlGroup()
    kills_before = group.count_oom_kills()
    os.makedirs(os.path.dirname(_published()), exist_ok=True)
    _discard_outcome()
    _flush()
    try:
        if may_have_secrets:
            _take_secrets()
        ending = _run_ranks(Job(manifest, manifest_digest, workspace))
    except JobFailed as refusal:
        _refuse(str(refusal))
        return 1
    report = ending.report
    if report is None:
        killed = ending.exit_code == -signal.SIGKILL and group.count_oom_kills() > kills_before
        _discard_outcome()
        death = explain_death(ending.exit_code, memory_use=group.describe_use() if killed else None)
        _refuse(_name_rank(death, ending.rank))
        return 128 - ending.exit_code if ending.exit_code < 0 else 1
    if report.failure:
        _write_failure(_name_rank(report.failure, ending.rank))
    if report.outcome is None:
        _discard_outcome()
    else:
        os.replace(_unpublished(), _published())
        _say(("\n" if report.unfinished_line else "") + format_marker(report.outcome, manifest_digest) + "\n")
    return report.exit_code


def _take_secrets() -> None:
    from sm_remote.runtime.secrets import pass_on, take_secrets  # only here: a job's start is short

    take_secrets()
    if os.environ.get(LAUNCHER_VARIABLE) == MPIRUN:
        pass_on()


def _run_ranks(job: Job) -> Ending:
    """Runs this host's processes of the function until all have ended, and says how the job has."""

    def watch() -> None:
        watch_checkpoints(lambda text: _say(text + "\n", to=2))

    if os.environ.get(LAUNCHER_VARIABLE) == MPIRUN:
        from sm_remote.runtime.mpirun import run_by_mpirun  # only here: a job's start is short

        return run_by_mpirun(job, say=_say, started=watch)
    return run_children(job, list_local_ranks(), started=watch)


def _name_rank(text: str, rank: Rank) -> str:
    """A failure, with whose it is where there are several processes."""
    return text if rank.is_alone else f"{rank.describe()}: {text}"


def explain_death(exit_code: int, *, memory_use: str | None) -> str:
    """Why a function's process that said nothing is gone.

    Args:
        exit_code: Negative where a signal ended it.
        memory_use: How much there was and was used, where the kernel killed it for memory.
    """
    if memory_use is not None:
        return f"OutOfMemory: the job needs more memory than it has. {memory_use}".strip()
    if exit_code >= 0:
        return (
            f"The function's process ended with exit code {exit_code} before the function returned: "
            "something called os._exit(), or exit() in native code."
        )
    name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
    return f"The function's process was killed by {name} ({signal.strsignal(-exit_code)}) before the function returned."


def _refuse(text: str) -> None:
    """Says in the log and in the failure file why there is no outcome."""
    _say(text + "\n", to=2)
    _write_failure(text)


def _write_failure(text: str) -> None:
    """Writes what becomes the job's FailureReason, unless the function wrote one itself."""
    path = ml_path("output", "failure")
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.exists(path) or not os.path.getsize(path):
            with open(path, "wb") as file:
                file.write(text.encode("utf-8", "backslashreplace"))


def _published() -> str:
    return ml_path("output", "data", *OUTCOME.split("/"))


def _unpublished() -> str:
    return ml_path("output", "data", UNPUBLISHED_OUTCOME)


def _discard_outcome() -> None:
    with suppress(FileNotFoundError):
        os.unlink(_unpublished())


def _say(text: str, *, to: int = 1) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(to, text.encode("utf-8", "backslashreplace"))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()


def _remove(workspace: str) -> None:
    with suppress(OSError):
        os.unlink(os.path.join(workspace, "runtime.zip"))
        os.rmdir(workspace)
        return
    import shutil  # only where packages or sources were unpacked

    shutil.rmtree(workspace, ignore_errors=True)
