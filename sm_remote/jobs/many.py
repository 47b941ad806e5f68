"""Many jobs side by side: an order, a limit, a progress bar, and one rule for failures."""

from __future__ import annotations

import concurrent.futures
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from sm_remote.jobs.job import Job
from sm_remote.jobs.results import add_note


def run_many(
    create: Callable[[tuple[Any, ...]], Job[Any]],
    items: Iterable[tuple[Any, ...]],
    *,
    total: int | None,
    title: str,
    limit: int | None,
    return_exceptions: bool,
    on_interrupt: str,
) -> list[Any]:
    """Runs one job an item and returns the values in order.

    Args:
        create: Makes an item's job, unsubmitted.
        items: Positional arguments of each call; taken one by one, so they may be a generator.
        total: How many, when known.
        title: Stands before the progress bar.
        limit: How many jobs may be live at once; None for no limit.
        return_exceptions: Whether a failure takes the place of its item's value.
        on_interrupt: ``"stop"`` or ``"detach"``, for all live jobs.

    Raises:
        BaseException: The first failed item's own exception, with a note that names its index, its job and how many
            succeeded. Jobs that were live then have ended.
    """
    jobs: list[Job[Any]] = []
    live: set[Job[Any]] = set()
    failed = False
    source = iter(items)
    exhausted = False
    with _make_bar(total, title) as bar:
        try:
            while True:
                while not exhausted and (not failed or return_exceptions) and (limit is None or len(live) < limit):
                    item = next(source, None)
                    if item is None:
                        exhausted = True
                        break
                    job = create(item)
                    jobs.append(job)
                    live.add(job)
                    job._submit()
                if not live:
                    break
                ended, _ = concurrent.futures.wait(live, return_when=concurrent.futures.FIRST_COMPLETED)
                live -= ended
                bar.update(len(ended))
                failed = failed or any(job.exception() is not None for job in ended)
        except KeyboardInterrupt:
            _interrupt(live, on_interrupt)
            raise
    if failed and not return_exceptions:
        _raise_first(jobs)
    return [job.exception() or job.result() for job in jobs] if return_exceptions else [job.result() for job in jobs]


def _raise_first(jobs: list[Job[Any]]) -> None:
    failures = [(index, job) for index, job in enumerate(jobs) if job.exception() is not None]
    index, job = failures[0]
    error = job.exception()
    if error is None:
        return
    succeeded = len(jobs) - len(failures)
    add_note(error, f"Item {index} failed (training job {job.name}); {succeeded} of {len(jobs)} submitted succeeded.")
    raise error


def _interrupt(live: set[Job[Any]], on_interrupt: str) -> None:
    names = sorted(job.name for job in live)
    if on_interrupt == "stop":
        for job in live:
            job.stop()
    verb = "are being stopped" if on_interrupt == "stop" else "go on"
    sys.stderr.write(f"\nInterrupted: {len(names)} training job(s) {verb}: {', '.join(names)}\n")


def _make_bar(total: int | None, title: str) -> Any:
    from tqdm import TqdmWarning
    from tqdm.auto import tqdm

    with warnings.catch_warnings():
        # Without ipywidgets the plain bar is shown, which is no reason to warn.
        warnings.simplefilter("ignore", TqdmWarning)
        return tqdm(total=total, desc=title, unit="job")
