"""Runs many functions as training jobs through the standard `concurrent.futures` interface."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from sm_remote.capture.function import bind_call
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.calls.foresight import check_affordable
from sm_remote.jobs.calls.many import check_limit
from sm_remote.jobs.creation.charges import open_charges
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.plain_errors import raise_plainly
from sm_remote.jobs.outcome.results import conclude
from sm_remote.jobs.submission.preparation import prepare_function
from sm_remote.settings import ResolvedSettings, check_names, resolve_settings

P = ParamSpec("P")
T = TypeVar("T")


def create_job(
    func: Callable[..., T],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    settings: ResolvedSettings,
    *,
    conclude: Callable[..., Any] = conclude,
) -> Job[T]:
    """Captures and uploads a call and returns its job, which is not submitted yet.

    Args:
        func: What is called.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        settings: Of this call.
        conclude: What makes the job's value of its end; see `jobs.outcome.results.conclude`.

    Raises:
        TypeError: The arguments do not fit the function.
        CaptureError: Something cannot travel.
        ConfigError: A setting cannot hold.
    """
    bind_call(func, args, kwargs)
    connection = connect_with(settings)
    check_affordable(func, settings)
    spec, lock = prepare_function(func, args, kwargs, settings, connection)
    charges = open_charges(settings, connection, lock, func)
    return Job(spec.name, connection, spec=spec, lock=lock, conclude=conclude, charges=charges)


class RemoteExecutor(Executor):
    """A `concurrent.futures.Executor` whose calls are training jobs.

    Args:
        max_parallel_jobs: How many of its jobs may be live at once; further ones wait here, their names already final.
        **settings: Any setting of `remote`, such as ``instance_type``.

    Raises:
        ConfigError: A setting is unknown, or ``max_parallel_jobs`` is below 1.
    """

    @raise_plainly
    def __init__(self, *, max_parallel_jobs: int | None = None, **settings: Any) -> None:
        check_limit(max_parallel_jobs)
        check_names(settings, origin="RemoteExecutor(...)")
        self._arguments = settings
        self._limit = max_parallel_jobs
        self._lock = threading.Lock()
        self._waiting: deque[Job[Any]] = deque()
        self._live: set[Job[Any]] = set()
        self._closed = False

    @raise_plainly
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Job[T]:
        """Captures the call now and runs it as a training job when its turn comes.

        Raises:
            RuntimeError: After `shutdown`.
            TypeError: The arguments do not fit the function.
            CaptureError: Something cannot travel.
        """
        job = self._create(fn, args, kwargs)
        self._take_turn(job)
        return job

    def _create(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job[T]:
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot submit a job after shutdown of its RemoteExecutor")
        settings = resolve_settings(self._arguments)
        job = create_job(fn, args, kwargs, settings)
        with self._lock:
            if self._limit is None:
                self._limit = settings.max_parallel_jobs
        return job

    def _take_turn(self, job: Job[Any]) -> None:
        job.add_done_callback(self._on_done)
        with self._lock:
            if self._limit is not None and len(self._live) >= self._limit:
                self._waiting.append(job)
                return
            self._live.add(job)
        job._submit()

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """Like the builtin ``map``, each item a training job; values come in order.

        All items are captured now. Unlike the standard's, it never stops a live job: once an item has failed, or the
        values are not asked for any more, nothing further is submitted and running jobs finish. Their values are
        kept; `attach` and `list_jobs` find them.

        Args:
            fn: Runs once for each item.
            *iterables: Its arguments, side by side.
            timeout: In seconds, for all of it.
            chunksize: As in the standard; a job runs one item, so it has no effect.

        Raises:
            TimeoutError: From the iterator: the time ran out.
            BaseException: From the iterator: what the first failed item raised.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        jobs: deque[Job[T]] = deque()
        failed = threading.Event()

        def withdraw_after_failure(job: Future[T]) -> None:
            if not job.cancelled() and job.exception() is not None:
                failed.set()
                self._withdraw(jobs)

        try:
            for args in zip(*iterables, strict=False):
                job = self._create(fn, args, {})
                jobs.append(job)
                # Before the executor's own, which gives a failed job's place to the next.
                job.add_done_callback(withdraw_after_failure)
                self._take_turn(job)
                if failed.is_set():
                    break
        except BaseException:
            self._withdraw(jobs)
            raise
        return self._give_values(jobs, deadline)

    def _give_values(self, jobs: deque[Job[T]], deadline: float | None) -> Iterator[T]:
        try:
            while jobs:
                timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
                jobs[0].result(timeout)
                yield jobs.popleft().result()
        finally:
            self._withdraw(jobs)

    def _withdraw(self, jobs: Iterable[Job[Any]]) -> None:
        """Takes back those that still wait for their turn."""
        mine = list(jobs)
        with self._lock:
            # Out of the queue first: none of them may get the place of another.
            self._waiting = deque(waiting for waiting in self._waiting if all(waiting is not job for job in mine))
        for job in mine:
            job._withdraw()

    def _on_done(self, job: Future[Any]) -> None:
        with self._lock:
            self._live = {other for other in self._live if other is not job}
            self._waiting = deque(other for other in self._waiting if other is not job)
            if not self._waiting or (self._limit is not None and len(self._live) >= self._limit):
                return
            successor = self._waiting.popleft()
            self._live.add(successor)
        # A thread of its own: this one watches every job, and a refusal would call back into here.
        threading.Thread(target=_submit_quietly, args=(successor,), name="sm_remote-submit", daemon=True).start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no further calls.

        Args:
            wait: Whether to return only when all jobs have ended.
            cancel_futures: Whether to withdraw the jobs that wait for their turn.
        """
        with self._lock:
            self._closed = True
            waiting, live = list(self._waiting), list(self._live)
            if cancel_futures:
                self._waiting.clear()
        if cancel_futures:
            for job in waiting:
                job._withdraw()
        if wait:
            for job in [*live, *waiting]:
                if not job.cancelled():
                    job.exception()


def _submit_quietly(job: Job[Any]) -> None:
    with contextlib.suppress(Exception):  # the job's own future holds it
        job._submit()
