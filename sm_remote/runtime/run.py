"""The child of the supervisor: it loads the function, runs it, and writes down what came of it.

Imported before the fork: afterwards each page that an import touches would be copied first.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import sm_remote.wire.pickler  # noqa: F401 - cloudpickle, which loading and writing need, before the fork too
from sm_remote.errors import CorruptBlob, JobFailed
from sm_remote.runtime.load import Call, load_call
from sm_remote.runtime.memory import ControlGroup, read_process_peak_bytes
from sm_remote.runtime.report import Report
from sm_remote.runtime.streams import flush_streams, plug_closed_streams, watch_output
from sm_remote.wire.digest import BlobRef, HashingWriter
from sm_remote.wire.layout import FUNCTION_VARIABLE, UNPUBLISHED_OUTCOME, ml_path
from sm_remote.wire.manifest import Manifest
from sm_remote.wire.marker import DisplayMark, format_display
from sm_remote.wire.outcome_writer import write_cell, write_exception, write_value

if TYPE_CHECKING:
    from sm_remote.runtime.cell import CellEnd

INTERRUPTED_EXIT_CODE = 143
"""As of a process that SIGTERM has ended."""
EXIT_GRACE_S = 30
"""How long exit handlers (flushing a logger, finishing an upload) may take once the outcome is safe."""
REFUSED_EXIT_CODE = 13
_INTERRUPTED = "Interrupted: the job was told to end (SIGTERM) before its function had come to its end."


class Job(NamedTuple):
    """What is to be run.

    Attributes:
        manifest: Its objects.
        digest: The manifest's own.
        workspace: A private directory to unpack into.
    """

    manifest: Manifest
    digest: str
    workspace: str


def run_and_exit(job: Job, report_to: int, *, publishes: bool, unblock: Iterable[signal.Signals]) -> NoReturn:
    """Runs the job's function in this process and ends it, whatever happens.

    Args:
        job: What to run.
        report_to: The pipe to the supervisor.
        publishes: Whether this host writes an outcome.
        unblock: The signals that the supervisor has held back.
    """
    exit_code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, unblock)
        output = watch_output()
        with suppress(Exception):  # there may be no stderr
            faulthandler.enable()
        report = _cover_failure(_run_and_report(job, publishes=publishes))
        flush_streams()
        report = replace(report, unfinished_line=output is not None and output.unfinished)
        os.write(report_to, report.to_json())
        exit_code = report.exit_code
        _run_exit_handlers()
        if exit_code == 0:
            _leave_mpi()
    finally:
        os._exit(exit_code)


def _run_and_report(job: Job, *, publishes: bool) -> Report:
    try:
        return _Runner(job, publishes=publishes).run()
    except Exception as problem:  # noqa: BLE001 - a fault of ours, or of an object that breaks whatever looks at it
        return Report(exit_code=1, failure=f"sm_remote: the runtime failed: {type(problem).__name__}: {problem}"[:1000])


def _cover_failure(report: Report) -> Report:
    """The same, its text without the job's secrets: it stands in the job's record."""
    known = sys.modules.get("sm_remote.runtime.secrets")
    return report if known is None or not report.failure else replace(report, failure=known.cover_text(report.failure))


def _run_exit_handlers() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(EXIT_GRACE_S)  # the supervisor has the report already: a handler that hangs costs nothing but time
    atexit._run_exitfuncs()
    flush_streams()


def _leave_mpi() -> None:
    """Tells the other ranks that this one is done, which mpi4py does where Python ends by itself.

    A rank that has failed does not: it would wait for the others, and mpirun is to end them.
    """
    mpi = getattr(sys.modules.get("mpi4py"), "MPI", None)
    if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized():
        signal.alarm(0)  # others may have much to do yet
        mpi.Finalize()


class _Runner:
    """One run of a job's function."""

    def __init__(self, job: Job, *, publishes: bool) -> None:
        self._manifest, self._digest, self._workspace = job
        self._publishes = publishes
        self._pid = os.getpid()
        self._started = time.time()
        self._ended = self._started

    def run(self) -> Report:
        """Loads and runs the function, and writes its outcome."""
        phase = "load"
        try:
            if self._manifest.call == "cell":
                from sm_remote.runtime.cell import enter_cell

                enter_cell(self._digest)
            call = load_call(self._manifest, self._workspace)
            phase = "run"
            os.environ.setdefault(FUNCTION_VARIABLE, self._manifest.function_name)
            sys.argv[1:] = []
            gc.enable()  # the verifier had switched it off
            value = _invoke(call, self._manifest.call)
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are endings like any other
            self._settle()
            return self._report_exception(error, phase=phase)
        self._settle()
        if _was_interrupted():
            # The function has left its loop early: what it returned is not its value.
            return Report(exit_code=INTERRUPTED_EXIT_CODE, failure=_INTERRUPTED)
        if self._manifest.call == "cell":
            return self._report_cell(value)
        return self._report_value(value)

    def _settle(self) -> None:
        """The function is done: only the process that was started for it goes on, and nothing interrupts it."""
        if os.getpid() != self._pid:
            os._exit(0)  # the function has forked, and its child came back here
        self._ended = time.time()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        plug_closed_streams()

    def _report_value(self, value: Any) -> Report:
        if not self._publishes:
            return Report(exit_code=0)
        try:
            with _OutcomeFile() as file:
                write_value(file.writer, value, self._facts())
                return Report(exit_code=0, outcome=file.writer.ref())
        except MemoryError as error:
            return self._report_exception(error, phase="result")
        except Exception as error:  # noqa: BLE001 - the value's own __reduce__ may raise anything
            refused = self._explain_result(value, error)
            refused.__cause__ = error
            return self._report_exception(refused, phase="result")

    def _report_cell(self, end: CellEnd) -> Report:
        from sm_remote.runtime.cell_result import collect_result
        from sm_remote.runtime.display import screen

        error = end.error
        if error is not None:
            self._tell_traceback(error)
        if not self._publishes:
            return Report(exit_code=0 if error is None else 1, failure=self._describe(error)[0])
        try:
            result = collect_result(end)
            cell = {**result.describe(), "shown": screen().list_places()}
            failure, description = self._describe(error)
            with _OutcomeFile() as file:
                write_cell(file.writer, result.names, cell, self._facts(), **description)
                outcome = file.writer.ref()
        except Exception as problem:  # noqa: BLE001 - the values' own __reduce__ may raise anything
            return self._report_exception(error or problem, phase="run" if error else "result")
        return Report(exit_code=0 if error is None else 1, outcome=outcome, failure=failure)

    def _describe(self, error: BaseException | None) -> tuple[str, dict[str, Any]]:
        """The failure's text and what the outcome says of what a cell raised; nothing where it raised nothing."""
        if error is None:
            return "", {}
        from sm_remote.runtime import failure

        pickles, note = failure.pickle_chain(error)
        described = {**failure.describe_exception(error, phase="run"), "note": note}
        return failure.render_failure(error), {"description": described, "pickles": pickles}

    def _explain_result(self, value: Any, error: Exception) -> JobFailed:
        from sm_remote.wire.unpicklable import find_unpicklable

        function = self._manifest.function_name
        culprit = find_unpicklable(value, "result")
        if culprit is None:
            return JobFailed(f"The result of {function} could not be written.", why=f"{type(error).__name__}: {error}")
        return JobFailed(
            f"The result of {function} cannot be sent back: {culprit.path} is a {culprit.type_name}, "
            "which cannot be pickled.",
            why=culprit.reason,
            fix="Return what can be pickled: data instead of open files, locks, connections or generators.",
            path=culprit.path,
            type_name=culprit.type_name,
        )

    def _report_exception(self, error: BaseException, *, phase: str) -> Report:
        from sm_remote.runtime import failure

        self._tell_traceback(error)
        exit_code = REFUSED_EXIT_CODE if phase == "load" and isinstance(error, CorruptBlob) else 1
        text = failure.render_failure(error)
        return Report(exit_code=exit_code, failure=text, outcome=self._write_exception(error, phase=phase))

    def _tell_traceback(self, error: BaseException) -> None:
        """Shows the exception in the log, between marks: where it is raised as well, a reader need not show both.

        Other hosts' exceptions are not raised anywhere, and between the lines of several processes may be others'.
        """
        if isinstance(error, MemoryError):
            _release_frames(error)
        is_marked = self._publishes and os.environ.get("LOCAL_WORLD_SIZE", "1") == "1"
        flush_streams()
        with suppress(Exception):
            if is_marked:
                sys.stderr.write(format_display(DisplayMark(kind="raised"), self._digest) + "\n")
        _print_traceback(error)
        with suppress(Exception):
            if is_marked:
                sys.stderr.write(format_display(DisplayMark(kind="told"), self._digest) + "\n")

    def _write_exception(self, error: BaseException, *, phase: str) -> BlobRef | None:
        if not self._publishes:
            return None
        from sm_remote.runtime import failure

        try:
            description = failure.describe_exception(error, phase=phase)
            pickles, note = failure.pickle_chain(error)
            with _OutcomeFile() as file:
                write_exception(file.writer, {**description, "note": note}, pickles, self._facts())
                return file.writer.ref()
        except Exception as problem:  # noqa: BLE001 - the failure's text still gets through
            with suppress(Exception):
                sys.stderr.write(f"sm_remote: the exception cannot be sent back: {problem}\n")
            return None

    def _facts(self) -> dict[str, Any]:
        return {
            "python": ".".join(map(str, sys.version_info[:3])),
            "started": self._started,
            "ended": self._ended,
            "peak_memory_bytes": read_process_peak_bytes(),
            "memory_limit_bytes": ControlGroup().read_limit_bytes(),
        }


class _OutcomeFile:
    """The unpublished outcome, empty at first, and hashed as it is written."""

    def __init__(self) -> None:
        self._file = open(ml_path("output", "data", UNPUBLISHED_OUTCOME), "wb")  # noqa: SIM115
        self.writer = HashingWriter(self._file)

    def __enter__(self) -> _OutcomeFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _invoke(call: Call, how: str) -> Any:
    if how != "async":
        return call.function(*call.args, **call.kwargs)
    import asyncio

    return asyncio.run(call.function(*call.args, **call.kwargs))


def _was_interrupted() -> bool:
    """Whether a checkpoint of the function has noticed that the process was told to end."""
    interruption = sys.modules.get("sm_remote.checkpoints.interruption")
    return interruption is not None and bool(interruption.NOTICE.given)


def _release_frames(error: BaseException) -> None:
    """Lets go of the local variables that a traceback holds, so that there is memory to report with."""
    traceback = error.__traceback__
    while traceback is not None:
        with suppress(RuntimeError):  # a frame that is still running
            traceback.tb_frame.clear()
        traceback = traceback.tb_next


def _print_traceback(error: BaseException) -> None:
    """Shows the exception in the log, as Python does."""
    import traceback

    from sm_remote.runtime import failure

    with suppress(Exception):
        if isinstance(error, SystemExit):
            sys.stderr.write(failure.render_failure(error) + "\n")
            return
        for _, each in failure.walk_chain(error):
            each.__traceback__ = failure.trim_traceback(each.__traceback__)
        traceback.print_exception(type(error), error, error.__traceback__)
