"""An interrupted call: its jobs are stopped or left, one line says which, and the prompt is back within a second."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sm_remote.errors import JobNotFound, RemoteError
from sm_remote.jobs.job import Job, describe_detached

logger = logging.getLogger("sm_remote")

PATIENCE_S = 0.7
_TRIES = 3
_BETWEEN_TRIES_S = 0.3


def interrupt_jobs(jobs: Iterable[Job[Any]], on_interrupt: str) -> None:
    """Stops or leaves those of some jobs that have not ended.

    Args:
        jobs: What the interrupted call was waiting for.
        on_interrupt: ``"stop"`` or ``"detach"``.
    """
    live = sorted((job for job in jobs if not job.done()), key=lambda job: job.name)
    if not live:
        return
    if on_interrupt == "detach":
        sys.stderr.write(_describe_left(live))
        return
    # No daemon: a script that ends because of the interrupt still sends the stops.
    stopper = threading.Thread(target=_stop_all, args=(live,), name="sm_remote-stop")
    stopper.start()
    stopper.join(PATIENCE_S)
    sys.stderr.write(_describe_stopped(live))


def _stop_all(jobs: Sequence[Job[Any]]) -> None:
    for job in jobs:
        try:
            _stop(job)
        except RemoteError as error:
            logger.warning("Training job %s could not be stopped: %s", job.name, error)


def _stop(job: Job[Any]) -> None:
    """Stops a job, which may be so new that its creation arrives after the stop."""
    for _ in range(_TRIES):
        try:
            job.stop()
            return
        except JobNotFound:
            time.sleep(_BETWEEN_TRIES_S)


def _describe_left(jobs: Sequence[Job[Any]]) -> str:
    if len(jobs) == 1:
        return describe_detached(jobs[0].name)
    return f"\nInterrupted: {len(jobs)} training job(s) go on: {', '.join(job.name for job in jobs)}\n"


def _describe_stopped(jobs: Sequence[Job[Any]]) -> str:
    if len(jobs) == 1:
        return f"\nInterrupted: training job {jobs[0].name} is being stopped.\n"
    return f"\nInterrupted: {len(jobs)} training job(s) are being stopped: {', '.join(job.name for job in jobs)}\n"
