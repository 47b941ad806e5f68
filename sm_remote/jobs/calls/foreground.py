"""A job that its caller waits for: submitted, its output passed on as it comes, its end awaited."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from sm_remote.errors import RemoteError
from sm_remote.jobs.job import Job
from sm_remote.jobs.logs.job_log import follow_output
from sm_remote.jobs.logs.raised import LoggedTraceback
from sm_remote.jobs.logs.text_output import Bars, TextOutput, choose_bars
from sm_remote.jobs.outcome.remote_traceback import shows_remote_frames
from sm_remote.jobs.submission.members import describe_unused
from sm_remote.jobs.submission.spot import describe_spot
from sm_remote.jobs.succession.attempts import describe_cost
from sm_remote.settings import ResolvedSettings
from sm_remote.wire.marker import DisplayMark

logger = logging.getLogger("sm_remote")

Take = Callable[[str | DisplayMark], None]


def say(line: str) -> None:
    """Writes a line to stdout, at once."""
    TextOutput("each").write(line)


class Audience:
    """Who looks while a job runs. This one reads text alone; a notebook's shows more.

    Args:
        bars: What becomes of progress bars.
    """

    def __init__(self, bars: Bars | None = None) -> None:
        self._text = TextOutput(bars or choose_bars())
        self._traceback = LoggedTraceback()

    def open(self) -> None:
        """Called when the job is there."""

    def take(self, entry: str | DisplayMark) -> None:
        """Called with each line of the log, and with each place at which a cell displays something."""
        for shown in self._traceback.sift(entry):
            self.show(shown)

    def show(self, entry: str | DisplayMark) -> None:
        """Shows a line; of a place its text is told."""
        if isinstance(entry, str):
            self._text.write(entry)
        elif entry.text and entry.kind in ("show", "update"):
            for line in entry.text.split("\n"):
                self._text.write(line)

    def drop_traceback(self) -> None:
        """Called where the job's exception is raised here, which shows what its log's traceback shows."""
        self._traceback.drop()

    def close(self) -> None:
        """Called when the job is no longer waited for, however that came about."""
        for line in self._traceback.release():
            self.show(line)
        self._text.end()


FindAudience = Callable[[Job[Any], ResolvedSettings], Audience]
_find_audience: FindAudience = lambda job, settings: Audience()  # noqa: E731


def set_audience(find: FindAudience) -> None:
    """Says who looks at the jobs that this process waits for from now on."""
    global _find_audience
    _find_audience = find


def see_through(
    job: Job[Any],
    settings: ResolvedSettings,
    given_up: threading.Event | None = None,
    audience: Audience | None = None,
) -> BaseException | None:
    """Submits a job, streams its output and returns what it raised, if anything.

    Args:
        job: One that was not submitted yet, or that was attached to.
        settings: Whether and how to stream.
        given_up: Set where nobody waits any more.
        audience: Who looks; closed by whoever gave it. By default whom `set_audience` said.
    """
    if audience is not None:
        return _see_through(job, settings, given_up or threading.Event(), audience)
    found = _find_audience(job, settings)
    try:
        return _see_through(job, settings, given_up or threading.Event(), found)
    finally:
        found.close()


def _see_through(
    job: Job[Any], settings: ResolvedSettings, given_up: threading.Event, audience: Audience
) -> BaseException | None:
    spec, take = job._spec, audience.take
    if settings.stream_logs:
        job._chain.heard = []
    job._submit()
    audience.open()
    if settings.stream_logs:
        _tell_news(job, take)
        for line in (*describe_unused(settings), *describe_spot(spec, settings)) if spec is not None else ():
            take(f"sm_remote: {line}")
        if settings.target == "sagemaker":
            machine = job._chain.placed_on or settings.instance_type
            take(f"sm_remote: training job {job.name} on Amazon SageMaker as {machine}")
        for line in job._charges.said if job._charges is not None else ():
            take(f"sm_remote: {line}")
        stream_output(job, given_up, take)
    error = job._await_end()
    if error is not None and shows_remote_frames(error):
        audience.drop_traceback()
    if settings.stream_logs and settings.use_spot_instances:
        _tell_cost(job, audience.show)
    return error


def _tell_cost(job: Job[Any], take: Take) -> None:
    try:
        lines = describe_cost(job._look())
    except RemoteError as error:
        logger.warning("What %s has cost cannot be asked: %s", job.name, error)
    else:
        for line in lines:
            take(line)


def _tell_news(job: Job[Any], take: Take) -> None:
    """Says what became of the job meanwhile: another goes on with its work, or it has another instance type."""
    for line in job._chain.take_news():
        take(line)


def stream_output(job: Job[Any], given_up: threading.Event, take: Take) -> None:
    """Passes a job's output on until its end; trouble with the log is a warning."""
    try:
        api = job._connection.training_jobs
        name: str | None = job.name
        while name is not None:
            for entry in follow_output(api, name, follow=True, on_wait=lambda: take(_describe_waiting(job))):
                if given_up.is_set():
                    return
                take(entry)
            name = job._await_successor(name)
            _tell_news(job, take)
    except RemoteError as error:
        # Trouble with the log must not cost the value.
        logger.warning("The log of %s cannot be followed any further: %s", job.name, error)


def _describe_waiting(job: Job[Any]) -> str:
    text = f"sm_remote: training job {job.name} waits for capacity"
    if job._connection.target == "local":
        text += ": other jobs take up this machine, see `sm-remote jobs --status InProgress`"
    return text
