"""Many jobs side by side: an order, a limit, a progress bar, and one rule for failures."""

from __future__ import annotations

import concurrent.futures
import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NoReturn

from sm_remote.errors import ConfigError
from sm_remote.jobs.calls.interrupt import interrupt_jobs
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.exceptions import add_note

logger = logging.getLogger("sm_remote")


def check_limit(max_parallel_jobs: int | None) -> None:
    """Refuses a number of jobs with which none would ever run.

    Raises:
        ConfigError: It is below 1.
    """
    if max_parallel_jobs is not None and max_parallel_jobs < 1:
        raise ConfigError(
            f"max_parallel_jobs is {max_parallel_jobs}.", why="At least one job must run.", fix="Give 1 or more."
        )


def run_many(
    create: Callable[[tuple[Any, ...]], Job[Any]],
    items: Iterable[tuple[Any, ...]],
    *,
    total: int | None,
    title: str,
    limit: int,
    return_exceptions: bool,
    on_interrupt: str,
) -> list[Any]:
    """Runs one job an item and returns the values in order.

    Args:
        create: Makes an item's job, unsubmitted.
        items: Positional arguments of each call; taken one by one, so they may be a generator.
        total: How many, when known.
        title: Stands before the progress bar.
        limit: How many jobs may be live at once; at least 1.
        return_exceptions: Whether a failure takes the place of its item's value.
        on_interrupt: ``"stop"`` or ``"detach"``, for all live jobs.

    Raises:
        BaseException: The first failed item's own exception, with a note that names its index, its job and how many
            succeeded. Jobs that were live then have ended. An item that cannot be sent has failed like any other;
            what the iterable itself raises is raised also with ``return_exceptions``, as further items are lost.
    """
    jobs: list[Future[Any]] = []
    live: set[Future[Any]] = set()
    failed = False
    source = iter(items)
    exhausted = False
    ended_by: Exception | None = None
    with _make_bar(total, title) as bar:
        try:
            while True:
                while not exhausted and (not failed or return_exceptions) and len(live) < limit:
                    try:
                        item = next(source, None)
                    except Exception as error:  # noqa: BLE001 - whatever somebody's generator raises
                        item, ended_by = None, error
                    if item is None:
                        exhausted = True
                        break
                    job = _create(create, item)
                    jobs.append(job)
                    live.add(job)
                    if isinstance(job, Job):
                        with suppress(Exception):  # the job holds it
                            job._submit()
                    failed = failed or (job.done() and job.exception() is not None)
                if not live:
                    break
                ended, _ = concurrent.futures.wait(live, return_when=concurrent.futures.FIRST_COMPLETED)
                live -= ended
                bar.update(len(ended))
                failed = failed or any(job.exception() is not None for job in ended)
        except KeyboardInterrupt:
            interrupt_jobs((job for job in live if isinstance(job, Job)), on_interrupt)
            raise
    if failed and not return_exceptions:
        _raise_first(jobs)
    if ended_by is not None:
        count = sum(job.exception() is None for job in jobs)
        _raise_noted(
            ended_by, f"The items ended with this after {len(jobs)}; {count} of {len(jobs)} submitted succeeded."
        )
    return [_get_either(job) for job in jobs] if return_exceptions else [job.result() for job in jobs]


def _create(create: Callable[[tuple[Any, ...]], Job[Any]], item: tuple[Any, ...]) -> Future[Any]:
    """An item's job, or what stands for one where the item cannot be sent."""
    try:
        return create(item)
    except Exception as error:  # noqa: BLE001 - whatever pickling the item raises
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed


def _get_either(job: Future[Any]) -> Any:
    error = job.exception()
    return job.result() if error is None else error


def _raise_first(jobs: Sequence[Future[Any]]) -> None:
    failures = [(index, job) for index, job in enumerate(jobs) if job.exception() is not None]
    index, job = failures[0]
    error = job.exception()
    if error is None:
        return
    where = f"training job {job.name}" if isinstance(job, Job) else "it could not be sent"
    count = len(jobs) - len(failures)
    _raise_noted(error, f"Item {index} failed ({where}); {count} of {len(jobs)} submitted succeeded.")


def _raise_noted(error: BaseException, note: str) -> NoReturn:
    add_note(error, note)
    if sys.version_info < (3, 11):  # whose tracebacks show no notes
        logger.warning("%s", note)
    raise error


def _make_bar(total: int | None, title: str) -> Any:
    from tqdm import TqdmWarning
    from tqdm.auto import tqdm

    with warnings.catch_warnings():
        # Without ipywidgets the plain bar is shown, which is no reason to warn.
        warnings.simplefilter("ignore", TqdmWarning)
        return tqdm(total=total, desc=title, unit="job")
