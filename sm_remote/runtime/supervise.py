"""The parent of a job's function: it starts it, passes signals on, and says how it ended.

The function runs in a forked child, so that nothing it does (``os._exit(0)``, a crash in native code, a kill for
memory) can pass for success: only this process publishes an outcome, and its exit code is a failure until it has.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from sm_remote.runtime.checkpoint_watch import watch_checkpoints
from sm_remote.runtime.environment import set_environment
from sm_remote.runtime.memory import ControlGroup
from sm_remote.runtime.ranks import Rank, list_local_ranks
from sm_remote.runtime.report import Report
from sm_remote.runtime.run import Job, run_and_exit
from sm_remote.wire.digest import digest_bytes
from sm_remote.wire.layout import CHANNEL, OUTCOME, UNPUBLISHED_OUTCOME, ml_path
from sm_remote.wire.manifest import Manifest
from sm_remote.wire.marker import format_marker

REFUSED_EXIT_CODE = 13
_FORWARDED = (signal.SIGTERM, signal.SIGINT)
_GRACE_S = 10.0
"""How long other ranks may take to end once one has failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a child ended: its report, if it gave one, and its wait status as an exit code (negative: a signal)."""

    rank: Rank
    report: Report | None
    exit_code: int


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
        manifest = _read_manifest(manifest_digest)
    except (OSError, ValueError) as error:
        _refuse(f"sm_remote: The manifest was refused, so nothing was run: {error}")
        return REFUSED_EXIT_CODE
    set_environment()
    group = ControlGroup()
    kills_before = group.count_oom_kills()
    ending = _run_children(Job(manifest, manifest_digest, workspace), list_local_ranks())
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


def _read_manifest(digest: str) -> Manifest:
    with open(ml_path("input", "data", CHANNEL, digest), "rb") as file:
        content = file.read()
    found = digest_bytes(content)
    if found != digest:
        raise ValueError(f"its digest is {found}, not {digest}")
    return Manifest.from_json(content)


def _name_rank(text: str, rank: Rank) -> str:
    """A failure, with whose it is where there are several processes."""
    return text if rank.is_alone else f"{rank.describe()}: {text}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Child:
    """A process that runs the function."""

    rank: Rank
    pid: int
    reader: int


def _run_children(job: Job, ranks: Sequence[Rank]) -> Ending:
    """Forks a process for each rank of this host, passes signals on to them, and waits until all have ended.

    Returns:
        How the first that failed has ended, or else the first of all: it is the one that may have an outcome.
    """
    os.makedirs(os.path.dirname(_published()), exist_ok=True)
    _discard_outcome()
    _flush()
    gc.freeze()
    # Held back until the children are known and have put back the default handlers: none is lost, none goes astray.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    children = {child.pid: child for child in (_fork(job, rank) for rank in ranks)}

    def forward(number: int, _: FrameType | None) -> None:
        _signal_all(children, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    watch_checkpoints(lambda text: _say(text + "\n", to=2))
    endings = _wait_for_all(children)
    for number in _FORWARDED:
        signal.signal(number, signal.SIG_IGN)  # nothing is left to stop, and publishing must not be cut short
    failed = (ending for ending in endings if ending.report is None or ending.report.exit_code)
    return next(failed, min(endings, key=lambda ending: ending.rank.number))


def _fork(job: Job, rank: Rank) -> _Child:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        rank.enter()
        run_and_exit(_take_workspace(job, rank), writer, publishes=rank.number == 0, unblock=_FORWARDED)
    os.close(writer)
    return _Child(rank=rank, pid=pid, reader=reader)


def _take_workspace(job: Job, rank: Rank) -> Job:
    """A place of its own for each of several processes, which all unpack at the same time."""
    if rank.local_world_size == 1:
        return job
    workspace = os.path.join(job.workspace, f"rank-{rank.number}")
    os.mkdir(workspace, 0o700)
    return job._replace(workspace=workspace)


def _wait_for_all(children: dict[int, _Child]) -> list[Ending]:
    """Waits for every child; the first that fails ends the others. In the order in which they ended."""
    endings: list[Ending] = []
    while children:
        # Of the children that were forked here alone: the function may have made others, which end up with us.
        pid, status = os.wait()
        child = children.pop(pid, None)
        if child is None:
            continue
        ending = Ending(rank=child.rank, report=_read_report(child.reader), exit_code=os.waitstatus_to_exitcode(status))
        endings.append(ending)
        if children and (ending.report is None or ending.report.exit_code):
            _signal_all(children, signal.SIGTERM)
            import threading  # only here: a job's start is short

            threading.Timer(_GRACE_S, _signal_all, [children, signal.SIGKILL]).start()
    return endings


def _signal_all(children: dict[int, _Child], number: int) -> None:
    for pid in list(children):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _read_report(reader: int) -> Report | None:
    # The child is gone, so all that it wrote is there; its own children may still hold the pipe open.
    os.set_blocking(reader, False)
    try:
        return Report.from_json(os.read(reader, 1 << 16))
    except (BlockingIOError, ValueError, KeyError):
        return None


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
