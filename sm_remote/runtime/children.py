"""The processes of a host that run a job's function: forked, told of signals, and waited for.

A supervisor is their parent: that of the job's host, or that of a single rank which ``mpirun`` has started.
"""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import FrameType

from sm_remote.runtime.ranks import Rank
from sm_remote.runtime.report import Report
from sm_remote.runtime.run import Job, run_and_exit

FORWARDED = (signal.SIGTERM, signal.SIGINT)
_GRACE_S = 10.0
"""How long other ranks may take to end once one has failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a child ended: its report, if it gave one, and its wait status as an exit code (negative: a signal)."""

    rank: Rank
    report: Report | None
    exit_code: int

    @property
    def failed(self) -> bool:
        """Whether the job ends because of it."""
        return self.report is None or bool(self.report.exit_code)

    def to_json(self) -> str:
        """For another process."""
        report = None if self.report is None else self.report.to_json().decode()
        return json.dumps([asdict(self.rank), report, self.exit_code])

    @classmethod
    def from_json(cls, text: str | bytes) -> Ending:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            rank, report, exit_code = json.loads(text)
            known = None if report is None else Report.from_json(report.encode())
            return cls(rank=Rank(**rank), report=known, exit_code=int(exit_code))
        except (TypeError, LookupError, AttributeError) as error:
            raise ValueError(f"no ending of a rank: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class _Child:
    """A process that runs the function."""

    rank: Rank
    pid: int
    reader: int


def run_children(job: Job, ranks: Sequence[Rank], *, started: Callable[[], None] = lambda: None) -> Ending:
    """Forks a process for each rank, passes signals on to them, and waits until all have ended.

    Args:
        job: What to run.
        ranks: The processes.
        started: Called when they are there: a thread that it starts is no part of them.

    Returns:
        How the first that failed has ended, or else the first of all: it is the one that may have an outcome.
    """
    gc.freeze()
    # Held back until the children are known and have put back the default handlers: none is lost, none goes astray.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    children = {child.pid: child for child in (_fork(job, rank) for rank in ranks)}

    def forward(number: int, _: FrameType | None) -> None:
        _signal_all(children, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    started()
    endings = _wait_for_all(children)
    for number in FORWARDED:
        signal.signal(number, signal.SIG_IGN)  # nothing is left to stop, and publishing must not be cut short
    failed = (ending for ending in endings if ending.failed)
    return next(failed, min(endings, key=lambda ending: ending.rank.number))


def _fork(job: Job, rank: Rank) -> _Child:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        rank.enter()
        run_and_exit(_take_workspace(job, rank), writer, publishes=rank.number == 0, unblock=FORWARDED)
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
        if children and ending.failed:
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
