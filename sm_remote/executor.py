"""Runs many functions as training jobs through the standard `concurrent.futures` interface."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from sm_remote.capture.function import bind_call
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.job import Job
from sm_remote.jobs.many import check_limit
from sm_remote.jobs.plain_errors import raise_plainly
from sm_remote.jobs.submit import prepare_function
from sm_remote.settings import ResolvedSettings, check_names, resolve_settings

P = ParamSpec("P")
T = TypeVar("T")


def create_job(
    func: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any], settings: ResolvedSettings
) -> Job[T]:
    """Captures and uploads a call and returns its job, which is not submitted yet.

    Raises:
        TypeError: The arguments do not fit the function.
        CaptureError: Something cannot travel.
        ConfigError: A setting cannot hold.
    """
    bind_call(func, args, kwargs)
    connection = connect_with(settings)
    spec = prepare_function(func, args, kwargs, settings, connection)
    return Job(spec.name, connection, spec=spec)


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
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot submit a job after shutdown of its RemoteExecutor")
        settings = resolve_settings(self._arguments)
        job = create_job(fn, args, kwargs, settings)
        job.add_done_callback(self._on_done)
        with self._lock:
            if self._limit is None:
                self._limit = settings.max_parallel_jobs
            if len(self._live) >= self._limit:
                self._waiting.append(job)
                return job
            self._live.add(job)
        job._submit()
        return job

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[T]:
        """Like the builtin ``map``, each item a training job; values come in order.

        Args:
            fn: Runs once for each item.
            *iterables: Its arguments, side by side.
            timeout: In seconds, for all of it.
            chunksize: As in the standard; a job runs one item, so it has no effect.
        """
        return super().map(fn, *iterables, timeout=timeout, chunksize=chunksize)

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
                self._waiting.clear()  # or one whose turn comes just now would be stopped instead of withdrawn
        if cancel_futures:
            for job in waiting:
                job.cancel()
        if wait:
            for job in [*live, *waiting]:
                if not job.cancelled():
                    job.exception()


def _submit_quietly(job: Job[Any]) -> None:
    with contextlib.suppress(Exception):  # the job's own future holds it
        job._submit()
