"""Who looks at a job that this session waits for: a cell's output, with a live view where a person reads it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sm_remote.jobs.calls.foreground import Audience
from sm_remote.jobs.job import Job
from sm_remote.notebook.front_end import choose_bars, has_reader, replaces_output
from sm_remote.notebook.output import CellOutput
from sm_remote.notebook.report import PREFIX
from sm_remote.notebook.view import JobView
from sm_remote.settings import ResolvedSettings, read_notebook_settings
from sm_remote.settings.session import read_session_settings

_NEARER = ("session", "argument", "cell")
"""Origins of settings that go above the panel's; all but the first go above the session's too."""
_HINTS = {
    "stop": "Interrupt the kernel to stop it, while this cell waits.",
    "detach": "Interrupt the kernel to go on without waiting; the job keeps running.",
}


def open_output(job: Job[Any], settings: ResolvedSettings, shell: Any, *, overrides: Sequence[str] = ()) -> CellOutput:
    """The output of a job that a cell waits for.

    Args:
        job: Submitted or not.
        settings: Of its call.
        shell: IPython's.
        overrides: What `describe_overrides` says of the call; told in the card, or without one as text.
    """
    view = JobView(job, notes=overrides, hint=_HINTS[settings.on_interrupt]) if has_reader(shell) else None
    output = CellOutput(job.name, is_rich=replaces_output(shell), view=view, bars=choose_bars(shell))
    if view is None:
        for override in overrides:
            output.show(f"{PREFIX}{override}")
    return output


def find_audience(job: Job[Any], settings: ResolvedSettings, shell: Any) -> Audience:
    """The audience of a decorated function's job: the view, where somebody looks, else plain text.

    What is displayed from another thread than the cell's would land in another cell.
    """
    if threading.current_thread() is not threading.main_thread() or not has_reader(shell):
        return Audience(choose_bars(shell))
    return open_output(job, settings, shell, overrides=list(describe_overrides(settings)))


def describe_overrides(settings: ResolvedSettings) -> Iterator[str]:
    """Settings of the panel or the session that something nearer to the call has overridden."""
    chosen = {"panel": read_notebook_settings(), "session": read_session_settings()}
    for position, (source, values) in enumerate(chosen.items()):
        for name, value in values.items():
            here = _describe_nearer(name, settings, _NEARER[position:])
            if here and settings.value(name) != value:
                yield f"{name} is {here}, not the {source}'s {_render(name, value)}"


def _describe_nearer(name: str, settings: ResolvedSettings, nearer: Sequence[str]) -> str:
    """The value in effect and whose it is; nothing where it comes from none of these origins."""
    origin = settings.origin(name)
    if origin not in nearer:
        return ""
    if origin == "cell":
        return "the cell's own here"
    value = _render(name, settings.value(name))
    return f"{value} here" if origin == "argument" else f"{value} by %remote"


def _render(name: str, value: Any) -> str:
    """A value in a few characters; of environment variables the names alone, since a card is saved."""
    if name == "environment_variables" and isinstance(value, Mapping):
        return ", ".join(sorted(value)) or "none"
    return f"{value!r:.60}"
