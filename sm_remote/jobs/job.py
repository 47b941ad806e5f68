"""A training job as a future: its state, log and value, from the process that made it or any other."""

from __future__ import annotations

import concurrent.futures
import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sm_remote.aws.requests import build_create_training_job
from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.errors import CorruptBlob, JobError, RemoteError, StorageError
from sm_remote.jobs.artifacts import Kind, download_artifacts, is_there
from sm_remote.jobs.attempts import Attempt, list_attempts
from sm_remote.jobs.beside import wait_awake
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.fallback import build_successor, explain_shortage
from sm_remote.jobs.lock import JobLock, send_lock
from sm_remote.jobs.logs import follow_log, read_tail
from sm_remote.jobs.plain_errors import raise_plainly
from sm_remote.jobs.results import TAIL_LINES, OutOfReachError, add_note, conclude, discard_corrupt, reaching
from sm_remote.jobs.stored_checkpoints import StoredGeneration, list_stored
from sm_remote.spec import SecondaryStatus, TrainingJobSpec, TrainingJobStatus
from sm_remote.wire.layout import JOBS

T = TypeVar("T")

logger = logging.getLogger("sm_remote")

LOOK_AGAIN_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Pauses in which an API or a store that does not answer may come back before an outcome is given up."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Phase:
    """One stretch of a job's life.

    Attributes:
        name: A secondary status, such as ``Downloading``.
        start: When it began.
        duration_s: How long it took; up to now while it lasts.
        message: What the service said of it.
    """

    name: str
    start: datetime
    duration_s: float
    message: str

    def __repr__(self) -> str:
        return f"<Phase {self.name}: {self.duration_s:.2f} s from {self.start:%H:%M:%S}>"


class Job(Future[T]):
    """A training job, and the promise of its value.

    It is a `concurrent.futures.Future`: `concurrent.futures.wait`, `as_completed` and callbacks work, and so does
    ``await``. Its attributes are asked for afresh whenever they are read.

    Attributes:
        name: The training job's name, final from the start; with ``fallback="on_demand"`` that of the job on demand,
            once that goes on.
        earlier_names: The names of the jobs on spot capacity whose work it goes on with.
    """

    def __init__(
        self,
        name: str,
        connection: Connection,
        *,
        spec: TrainingJobSpec | None = None,
        lock: JobLock | None = None,
        pauses_s: Sequence[float] = LOOK_AGAIN_AFTER_S,
        conclude: Callable[..., Any] = conclude,
        fallback: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.earlier_names: tuple[str, ...] = ()
        self._fallback = spec if fallback and spec is not None and spec.spot is not None else None
        self._connection = connection
        self._spec = spec
        self._lock = lock
        self._submitted = spec is None
        self._submission = threading.Lock()
        self._started = threading.Event()
        if self._submitted:
            self._started.set()
        self.add_done_callback(lambda _: self._started.set())
        self._arn: str | None = None
        self._pauses = iter(pauses_s)
        self._read_end = conclude
        self._trouble_told = False

    # -- life -------------------------------------------------------------------------------------------------------

    def _submit(self) -> None:
        """Creates the training job, unless it was cancelled while it waited for its turn.

        Raises:
            RemoteError: The API refused; the future holds the same error.
        """
        with self._submission:
            if self._submitted or self._spec is None or not self.set_running_or_notify_cancel():
                return
            created = datetime.now(timezone.utc)
            try:
                self._arn = self._connection.training_jobs.create(build_create_training_job(self._spec))
            except Exception as error:
                self.set_exception(error)
                raise
            except BaseException:
                # An interrupt. The request may have arrived all the same: the job is one until nobody knows it.
                self._begin(created)
                raise
            spec, lock = self._spec, self._lock
            self._begin(created)
        if lock is not None:
            send_lock(lock, spec, self._connection)

    def _begin(self, created: datetime) -> None:
        self._submitted = True
        self._spec = self._lock = None
        self._started.set()
        self._connection.watcher.watch(self.name, created, self._on_end)

    def _attach(self, description: TrainingJobDescription) -> None:
        """Takes up a job that somebody created."""
        self._arn = description.arn
        self.set_running_or_notify_cancel()
        if description.status.is_terminal:
            self._on_end(description)
        else:
            self._connection.watcher.watch(self.name, description.creation_time, self._on_end)

    def _on_end(self, end: TrainingJobDescription | RemoteError) -> None:
        # Loading a value may take long, and the caller of this is the thread that watches every job.
        threading.Thread(target=self._conclude, args=(end,), name=f"sm_remote-{self.name}", daemon=True).start()

    def _conclude(self, end: TrainingJobDescription | RemoteError) -> None:
        try:
            if isinstance(end, RemoteError):
                raise end
            if self._go_on_demand(end):
                return
            marker = end.outcome_marker
            with reaching():
                tail = [marker] if marker else read_tail(self._connection.training_jobs, self.name, TAIL_LINES)
                store = self._connection.open_store(end.output_uri)
            value = self._read_end(end, store=store, tail=tail)
        except OutOfReachError as error:
            self._look_again(end, error.__cause__)
        except BaseException as error:  # noqa: BLE001 - whatever the job raised is the future's
            if isinstance(error, CorruptBlob) and isinstance(end, TrainingJobDescription):
                with suppress(StorageError):
                    discard_corrupt(error, self._connection.open_store(end.output_uri.removesuffix(f"/{JOBS}")))
            self.set_exception(error.with_traceback(_find_remote_frames(error)))
        else:
            self.set_result(value)

    def _go_on_demand(self, end: TrainingJobDescription) -> bool:
        """Goes on on demand where the job had not enough spot capacity; whether it does."""
        reason, spec = explain_shortage(end), self._fallback
        if reason is None or spec is None:
            self._fallback = None
            return False
        successor = build_successor(spec)
        created = datetime.now(timezone.utc)
        self._arn = self._connection.training_jobs.create(build_create_training_job(successor))
        logger.warning("%s has no spot capacity (%s): it goes on on demand as %s", self.name, reason, successor.name)
        self.earlier_names, self.name, self._fallback = (*self.earlier_names, self.name), successor.name, None
        self._connection.watcher.watch(self.name, created, self._on_end)
        return True

    def _await_successor(self, name: str) -> str | None:
        """The job that goes on after one whose log has ended; None where none does."""
        while self.name == name and self._fallback is not None and not self.done():
            time.sleep(0.05)  # its end is known to the log before it is known here
        return None if self.name == name else self.name

    def _look_again(self, end: TrainingJobDescription | RemoteError, trouble: BaseException | None) -> None:
        """After a pause, each longer than the one before: how the job ended does not change meanwhile."""
        pause_s = next(self._pauses, None)
        if pause_s is None:
            error = trouble or RemoteError(f"The outcome of {self.name} cannot be had.")
            add_note(error, f"Training job {self.name} has ended. Its value: sm_remote.attach({self.name!r}).result()")
            self.set_exception(error.with_traceback(None))
            return
        if not self._trouble_told:
            self._trouble_told = True
            logger.warning("The outcome of %s cannot be had yet; looking again. %s", self.name, trouble)
        again = threading.Timer(pause_s, self._conclude, (end,))
        again.daemon = True
        again.start()

    # -- state ------------------------------------------------------------------------------------------------------

    def _look(self) -> TrainingJobDescription:
        return self._connection.training_jobs.describe(self.name)

    @property
    def arn(self) -> str | None:
        """The job's ARN; None while it waits to be submitted."""
        return self._arn

    @property
    def status(self) -> TrainingJobStatus:
        """Where the job stands; a job that waits to be submitted is ``InProgress``."""
        if not self._submitted:
            return TrainingJobStatus.STOPPED if self.cancelled() else TrainingJobStatus.IN_PROGRESS
        return self._look().status

    @property
    def secondary_status(self) -> SecondaryStatus:
        """What the job is doing; ``Pending`` while it waits to be submitted."""
        if not self._submitted:
            return SecondaryStatus.STOPPED if self.cancelled() else SecondaryStatus.PENDING
        return self._look().secondary_status

    @property
    def failure_reason(self) -> str | None:
        """Why the job failed, in the service's words; None unless it did."""
        return self._look().failure_reason if self._submitted else None

    @property
    def model_uri(self) -> str | None:
        """Where the model lies in S3; None without one, although SageMaker names a place in any case."""
        if not self._submitted:
            return None
        description = self._look()
        uri = description.model_uri
        if uri is None or not description.status.is_terminal:
            return None
        return uri if is_there(self._connection.open_store(description.output_uri), uri) else None

    def describe(self) -> dict[str, Any]:
        """The API's own answer to DescribeTrainingJob.

        Raises:
            JobError: The job waits to be submitted.
        """
        self._require_submitted()
        return {name: value for name, value in self._look().raw.items() if name != "ResponseMetadata"}

    def timeline(self) -> list[Phase]:
        """The job's phases, in order; stretches that share a secondary status are one phase."""
        if not self._submitted:
            return []
        phases: list[Phase] = []
        for transition in chain.from_iterable(each.transitions for each in self._look_at_all()):
            end = transition.end or datetime.now(timezone.utc)
            if phases and phases[-1].name == transition.status:
                start, message = phases[-1].start, phases[-1].message
                phases.pop()
            else:
                start, message = transition.start, transition.message
            duration_s = max(0.0, (end - start).total_seconds())
            phases.append(Phase(name=transition.status, start=start, duration_s=duration_s, message=message))
        return phases

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """How often the job's function was started, why each attempt ended, and how much work that cost."""
        if not self._submitted:
            return ()
        found: list[Attempt] = []
        for description in self._look_at_all():
            stored = [each.manifest for each in self._list_checkpoints(description)]
            for attempt in list_attempts(description, stored):
                found.append(replace(attempt, number=len(found) + 1))
        return tuple(found)

    def _look_at_all(self) -> list[TrainingJobDescription]:
        """This job, behind those whose work it goes on with."""
        return [self._connection.training_jobs.describe(name) for name in (*self.earlier_names, self.name)]

    def _list_checkpoints(self, description: TrainingJobDescription) -> list[StoredGeneration]:
        """What has arrived at the job's place for checkpoints; nothing where it has none or it cannot be read."""
        config = description.raw.get("CheckpointConfig")
        if not config:
            return []
        try:
            return list_stored(self._connection.open_store(config["S3Uri"]))
        except RemoteError as error:
            logger.warning("The checkpoints of %s cannot be looked at: %s", self.name, error)
            return []

    def logs(self, follow: bool = False) -> Iterator[str]:
        """Yields the log's lines without newlines: all hosts, each once, also after the end.

        Args:
            follow: Whether to wait for further lines until the job has ended.
        """
        if follow:
            self._started.wait()
        if not self._submitted:
            return
        for earlier in self.earlier_names:
            yield from follow_log(self._connection.training_jobs, earlier, follow=False)
        name: str | None = self.name
        while name is not None:
            yield from follow_log(self._connection.training_jobs, name, follow=follow)
            name = self._await_successor(name) if follow else None

    # -- waiting ----------------------------------------------------------------------------------------------------

    @raise_plainly
    def result(self, timeout: float | None = None) -> T:
        """Waits for the value.

        An interrupt (Ctrl-C) only stops the waiting: the job goes on.

        Args:
            timeout: In seconds; None waits for ever.

        Raises:
            TimeoutError: The time ran out; the job goes on.
            JobStopped: It was stopped.
            JobFailed: It failed for another reason than the function's own exception, which comes as itself.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Waits for the end and returns what `result` would raise, or None.

        Raises:
            TimeoutError: The time ran out; the job goes on.
        """
        try:
            return super().exception(timeout)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"Training job {self.name} had not ended after {timeout} s; it goes on.") from None
        except KeyboardInterrupt:
            if not self.done():
                sys.stderr.write(describe_detached(self.name))
            raise

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    async def _wait(self) -> T:
        """Like `result`: what cancels the waiting (a timeout, an interrupt) leaves the job as it is."""
        import asyncio

        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def wake() -> None:
            if not ended.done():
                ended.set_result(None)

        def tell(_: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(wake)

        self.add_done_callback(tell)
        await wait_awake(ended)
        return self.result()

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Asks for the job's end and returns at once; a job that has ended is no error."""
        if not self._withdraw() and self._submitted:
            self._connection.training_jobs.stop(self.name)

    def _withdraw(self) -> bool:
        """Takes back a job that waits to be submitted; whether it did. It never stops a live one."""
        with self._submission:
            return not self._submitted and super().cancel()

    def cancel(self) -> bool:
        """Stops a live job, or withdraws one that waits to be submitted; tells whether that had effect."""
        if self._withdraw():
            return True
        if not self._submitted or self.done() or self._look().status is not TrainingJobStatus.IN_PROGRESS:
            return False
        self.stop()
        return True

    # -- files ------------------------------------------------------------------------------------------------------

    def download_model(self, directory: str | Path) -> Path:
        """Copies what the function left in ``SM_MODEL_DIR`` into a directory, and returns it.

        Raises:
            JobError: The job has no model.
        """
        return self._download("model", Path(directory))

    def download_output(self, directory: str | Path) -> Path:
        """Copies what the function left in ``SM_OUTPUT_DATA_DIR`` into a directory, and returns it.

        Raises:
            JobError: The job has no output.
        """
        return self._download("data", Path(directory))

    def _download(self, kind: Kind, directory: Path) -> Path:
        self._require_submitted()
        store = self._connection.open_store(self._look().output_uri)
        return download_artifacts(store, self.name, kind, directory)

    def _require_submitted(self) -> None:
        if not self._submitted:
            raise JobError(
                f"Training job {self.name} is not submitted yet.",
                why="It waits for one of its executor's earlier jobs to end.",
                job_name=self.name,
            )

    def __repr__(self) -> str:
        return f"<Job {self.name}: {self._describe_state()}>"

    def _describe_state(self) -> str:
        """What this process knows of the state, without asking for it."""
        if self.cancelled():
            return "cancelled"
        if not self.done():
            return "live" if self._submitted else "waits to be submitted"
        error = super().exception()
        return "has a value" if error is None else f"ended with {type(error).__name__}"


def _find_remote_frames(error: BaseException) -> TracebackType | None:
    """The part of a traceback behind our own frames, which tell the reader nothing."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("sm_remote."):
        frames = frames.tb_next
    return frames


def describe_detached(name: str) -> str:
    """The line that tells how to come back to a job that goes on."""
    return f"\nTraining job {name} goes on. Its value: sm_remote.attach({name!r}).result()\n"
