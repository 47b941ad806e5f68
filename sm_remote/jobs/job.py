"""A training job as a future: its state, log and value, from the process that made it or any other."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from sm_remote.aws.refusals import explain_expired
from sm_remote.aws.requests import build_create_training_job
from sm_remote.aws.responses import TrainingJobDescription, TrainingJobSummary, assume_completed
from sm_remote.costs import Charges
from sm_remote.errors import CorruptBlob, CredentialsExpired, RemoteError, StorageError
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.creation.lock import JobLock, place_lock, send_lock
from sm_remote.jobs.observed import ObservedJob
from sm_remote.jobs.outcome.exceptions import add_note
from sm_remote.jobs.outcome.plain_errors import raise_plainly
from sm_remote.jobs.outcome.results import OutOfReachError, conclude, discard_corrupt, reaching
from sm_remote.jobs.succession.chain import Chain, choose_margin_s, find_error, stop_for_good
from sm_remote.jobs.succession.plan import Plan, find_plan, read_plan
from sm_remote.jobs.watching.event_loop import wait_awake
from sm_remote.jobs.watching.waiting import Waiting
from sm_remote.jobs.watching.watcher import EXPIRED_PAUSE_S
from sm_remote.spec import TrainingJobSpec, TrainingJobStatus
from sm_remote.wire.layout import JOBS

T = TypeVar("T")

logger = logging.getLogger("sm_remote")

LOOK_AGAIN_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Pauses in which an API or a store that does not answer may come back before an outcome is given up."""


class Job(Future[T], ObservedJob):
    """A training job, and the promise of its value.

    It is a `concurrent.futures.Future`: `concurrent.futures.wait`, `as_completed` and callbacks work, and so does
    ``await``. Its attributes are asked for afresh whenever they are read.

    Attributes:
        name: The training job's name, final from the start; where another job goes on with its work, that one's.
        earlier_names: The names of the jobs whose work it goes on with.
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
        earlier_names: Sequence[str] = (),
        charges: Charges | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.earlier_names = tuple(earlier_names)
        self._connection = connection
        self._charges = charges
        self._chain = Chain(connection, charges)
        self._spec = spec
        self._lock = lock
        self._submitted = spec is None
        self._submission = threading.Lock()
        self._started = threading.Event()
        if self._submitted:
            self._started.set()
        self._waiting = Waiting(lambda: self._connection.watcher.hurry())
        self.add_done_callback(self._tell_end)
        self._arn: str | None = None
        self._plan: Plan | None = None
        self._pauses = iter(pauses_s)
        self._read_end = conclude
        self._known: Mapping[str, Any] | None = None
        self._concluding = threading.Lock()
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
                request = build_create_training_job(self._spec)
                self._arn = self._chain.create(request)
                self._known = request
            except Exception as error:
                if isinstance(error, RemoteError) and error.facts.get("may_exist"):
                    self._begin(created)  # it is seen to when it can be seen
                else:
                    self.set_exception(error)
                raise
            except BaseException:
                # An interrupt. The request may have arrived all the same: the job is one until nobody knows it.
                self._begin(created)
                raise
            spec = self._spec
            lock = None if self._lock is None else place_lock(self._lock, self._chain.placed_on)
            if lock is not None:
                self._chain.locks.expect()  # before anybody sees the job end
            self._begin(created)
        if lock is not None:
            send_lock(lock, spec, self._connection, self._chain.locks)

    def _begin(self, created: datetime) -> None:
        spec, self._spec, self._lock = self._spec, None, None
        self._submitted = True
        self._plan = read_plan(spec.environment) if spec is not None else None
        self._started.set()
        self._connection.watcher.watch(self.name, created, self._on_end, self._interrupt, self._on_completed)
        if spec is not None and spec.spot is not None and self._plan is not None and self._plan.on_demand:
            self._chain.guard(self.name, after_s=spec.spot.max_wait_s - choose_margin_s(spec.spot.max_wait_s))

    def _attach(self, description: TrainingJobDescription) -> None:
        """Takes up a job that somebody created."""
        self._arn = description.arn
        self._plan = find_plan(description)
        self.set_running_or_notify_cancel()
        if description.status.is_terminal:
            self._on_end(description)
            return
        self._known = description.raw
        created = description.creation_time
        self._connection.watcher.watch(self.name, created, self._on_end, self._interrupt, self._on_completed)
        if self._plan is not None:
            self._chain.guard(self.name)

    def _on_end(self, end: TrainingJobDescription | RemoteError) -> None:
        # Loading a value may take long, and the caller of this is the thread that watches every job.
        threading.Thread(target=self._conclude, args=(end,), name=f"sm_remote-{self.name}", daemon=True).start()

    def _on_completed(self, row: TrainingJobSummary) -> bool:
        """Takes the value of a job that a list has as completed, which DescribeTrainingJob need not tell again."""
        if self._known is None or row.name != self.name:
            return False
        end = assume_completed(self._known, row)
        threading.Thread(target=self._take_value, args=(end,), name=f"sm_remote-{self.name}", daemon=True).start()
        return True

    def _take_value(self, end: TrainingJobDescription) -> None:
        """Has the value if all is well; whatever is not is seen, and told, when the job was described."""
        with self._concluding:
            if self.done():
                return
            try:
                tail = self._connection.log_ends.read(end)
                value = self._read_end(end, store=self._connection.open_store(end.output_uri), tail=tail)
            except BaseException as error:  # noqa: BLE001 - see above
                logger.debug("The value of %s is looked for again: %s", self.name, error)
                return
            if find_error(value) is None:
                self.set_result(value)

    def _conclude(self, end: TrainingJobDescription | RemoteError) -> None:
        if self._charges is not None and isinstance(end, TrainingJobDescription):
            self._charges.settle(end)
        with self._concluding:
            if not self.done():
                self._find_ending(end)

    def _find_ending(self, end: TrainingJobDescription | RemoteError) -> None:
        try:
            if isinstance(end, RemoteError):
                raise end
            with reaching():
                if self._go_on(end, None):
                    return
                tail = self._connection.log_ends.read(end)
                store = self._connection.open_store(end.output_uri)
            value = self._read_end(end, store=store, tail=tail)
            raised = find_error(value)
            if raised is not None and self._is_tried_again(end, raised):
                return
        except OutOfReachError as error:
            self._look_again(end, error.__cause__)
        except BaseException as error:  # noqa: BLE001 - whatever the job raised is the future's
            if isinstance(end, TrainingJobDescription) and self._is_tried_again(end, error):
                return
            if isinstance(error, CorruptBlob) and isinstance(end, TrainingJobDescription):
                with suppress(StorageError):
                    discard_corrupt(error, self._connection.open_store(end.output_uri.removesuffix(f"/{JOBS}")))
            if self.earlier_names:
                names = ", ".join(self.earlier_names)
                add_note(error, f"It is what became of {names} in the end: `sm-remote show {self.name}` has them all.")
            self.set_exception(error.with_traceback(_find_remote_frames(error)))
        else:
            self.set_result(value)

    def _is_tried_again(self, end: TrainingJobDescription, raised: BaseException) -> bool:
        """Tries again what may be tried again after this error; whether it does, or still has to see."""
        try:
            with reaching():
                return self._go_on(end, raised)
        except OutOfReachError as trouble:
            self._look_again(end, trouble.__cause__)
            return True
        except RemoteError as refusal:
            add_note(raised, f"It was not tried again: {refusal.what}")
            return False

    def _go_on(self, end: TrainingJobDescription, raised: BaseException | None) -> bool:
        """Has another job go on with this one's work where the plan has it; whether it does."""
        if self._plan is None:
            return False
        with self._chain.lock:
            successor = self._chain.go_on(end, raised)
            if successor is None:
                return False
            self._arn, self.earlier_names, self.name = successor.arn, (*self.earlier_names, self.name), successor.name
        self._connection.watcher.watch(self.name, successor.created, self._on_end, self._interrupt)
        self._chain.guard(self.name)
        return True

    def _look_again(self, end: TrainingJobDescription | RemoteError, trouble: BaseException | None) -> None:
        """After a pause, each longer than the one before: how the job ended does not change meanwhile."""
        if not self._trouble_told:
            self._trouble_told = True
            logger.warning("The outcome of %s cannot be had yet; looking again. %s", self.name, trouble)
        if isinstance(trouble, CredentialsExpired):
            self._interrupt(trouble)
            self._connection.training_jobs.renew_credentials()
            self._connection.alarm.call_after(EXPIRED_PAUSE_S, partial(self._on_end, end))
            return
        pause_s = next(self._pauses, None)
        if pause_s is None:
            error = trouble or RemoteError(f"The outcome of {self.name} cannot be had.")
            add_note(error, f"Training job {self.name} has ended. Its value: sm_remote.attach({self.name!r}).result()")
            self.set_exception(error.with_traceback(None))
            return
        again = threading.Timer(pause_s, self._conclude, (end,))
        again.daemon = True
        again.start()

    def _tell_end(self, _: Future[T]) -> None:
        self._started.set()
        self._waiting.end()

    def _interrupt(self, trouble: CredentialsExpired) -> None:
        """Tells those who wait that nothing can be learnt of the job for now; the job itself goes on."""
        self._waiting.interrupt(explain_expired(trouble.why, self.name))

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
            CredentialsExpired: Sign in again and call `result` again; the job goes on.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Waits for the end and returns what `result` would raise, or None.

        Raises:
            TimeoutError: The time ran out; the job goes on.
            CredentialsExpired: Sign in again and call it again; the job goes on.
        """
        try:
            return self._await_end(timeout)
        except TimeoutError:
            raise TimeoutError(f"Training job {self.name} had not ended after {timeout} s; it goes on.") from None
        except KeyboardInterrupt:
            if not self.done():
                sys.stderr.write(describe_detached(self.name))
            raise

    def _await_end(self, timeout: float | None = None) -> BaseException | None:
        """`exception` without a word on interrupts."""
        self._waiting.wait(timeout)
        return super().exception()

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    async def _wait(self) -> T:
        """Like `result`: what cancels the waiting (a timeout, an interrupt) leaves the job as it is."""
        import asyncio

        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def wake(trouble: CredentialsExpired | None) -> None:
            if not ended.done():
                ended.set_result(trouble)

        def tell(trouble: CredentialsExpired | None) -> None:
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(wake, trouble)

        leave = self._waiting.listen(tell)
        self.add_done_callback(lambda _: tell(None))
        try:
            trouble = await wait_awake(ended)
        finally:
            leave()
        if trouble is not None and not self.done():
            raise trouble
        return self.result()

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Asks for the job's end and returns at once; a job that has ended is no error. No other follows it."""
        if self._withdraw() or not self._submitted:
            return
        with self._chain.lock:
            self._chain.is_over = True
            name = self.name
        if self._plan is None:
            self._connection.training_jobs.stop(name)
        else:
            stop_for_good(self._connection, self._connection.training_jobs.describe(name))

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

    def __repr__(self) -> str:
        return f"<Job {self.name}: {self._describe_state()}>"

    def _is_withdrawn(self) -> bool:
        return self.cancelled()

    def _is_concluded(self) -> bool:
        return self.done()

    def _describe_state(self) -> str:
        """What this process knows of the state, without asking for it."""
        if self.cancelled():
            return "cancelled"
        if not self.done():
            return "submitted" if self._submitted else "waits to be submitted"
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
