"""Who looks at a job that this session waits for: a cell's output, with a live view where a person reads it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from sm_remote.jobs.calls.foreground import Audience
from sm_remote.jobs.job import Job
from sm_remote.notebook.front_end import choose_bars, has_reader, replaces_output
from sm_remote.notebook.output import CellOutput
from sm_remote.notebook.view import JobView
from sm_remote.settings import ResolvedSettings, read_notebook_settings
from sm_remote.settings.session import read_session_settings

_HINTS = {
    "stop": "Interrupt the kernel to stop it, while this cell waits.",
    "detach": "Interrupt the kernel to go on without waiting; the job keeps running.",
}


def open_output(job: Job[Any], settings: ResolvedSettings, shell: Any) -> CellOutput:
    """The output of a job that a cell waits for.

    Args:
        job: Submitted or not.
        settings: Of its call.
        shell: IPython's.
    """
    view = None
    if has_reader(shell):
        view = JobView(job, notes=list(describe_overrides(settings)), hint=_HINTS[settings.on_interrupt])
    return CellOutput(job.name, is_rich=replaces_output(shell), view=view, bars=choose_bars(shell))


def find_audience(job: Job[Any], settings: ResolvedSettings, shell: Any) -> Audience:
    """The audience of a decorated function's job: the view, where somebody looks, else plain text.

    What is displayed from another thread than the cell's would land in another cell.
    """
    if threading.current_thread() is not threading.main_thread() or not has_reader(shell):
        return Audience(choose_bars(shell))
    return open_output(job, settings, shell)


def describe_overrides(settings: ResolvedSettings) -> Iterator[str]:
    """Settings of the panel or the session that a decorator or a cell's own flag has overridden."""
    for source, chosen in (("panel", read_notebook_settings()), ("session", read_session_settings())):
        for name, value in chosen.items():
            if settings.origin(name) == "argument" and settings.value(name) != value:
                yield f"{name} is {settings.value(name)!r:.60} here, not the {source}'s {value!r:.60}"
