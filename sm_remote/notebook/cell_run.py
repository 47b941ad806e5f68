"""One `%%remote` cell from its text to its names: read, sent, watched, and put back into the notebook."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Sequence
from typing import Any

from sm_remote.capture.names import MeasuredNames
from sm_remote.capture.script_metadata import read_cell_metadata
from sm_remote.capture.sizes import render_size
from sm_remote.errors import ConfigError
from sm_remote.executor import create_job
from sm_remote.jobs.attach import attach_through, connect_with, resolve_name
from sm_remote.jobs.calls.foreground import see_through
from sm_remote.jobs.calls.interrupt import interrupt_jobs
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.cell import CellEnding, conclude_cell
from sm_remote.notebook.assignment import assign_names, remember_value
from sm_remote.notebook.audience import describe_overrides, open_output
from sm_remote.notebook.body import CellBody, read_body
from sm_remote.notebook.choice import choose_names
from sm_remote.notebook.dry_run import describe_cost, describe_return, explain_cell
from sm_remote.notebook.flags import Flags, parse_flags
from sm_remote.notebook.front_end import has_reader, has_widgets, replaces_output
from sm_remote.notebook.report import PREFIX, render_returned, render_sent, render_withheld
from sm_remote.notebook.view import JobView
from sm_remote.runtime.cell import Cell
from sm_remote.settings import ResolvedSettings, resolve_settings
from sm_remote.wire.namespace import Namespace

MAGIC = "%%remote"


def run_cell(line: str, body: str, shell: Any) -> BaseException | None:
    """Runs a cell as a training job.

    Args:
        line: What stands behind ``%%remote``.
        body: What stands below it.
        shell: IPython's.

    Returns:
        What the cell raised; its names are assigned all the same.

    Raises:
        ConfigError: A flag or the cell is wrong; nothing was sent.
        CaptureError: The cell cannot travel; nothing was sent.
        SyntaxError: It is no Python.
        JobError: The job ended without the cell's outcome.
    """
    flags = parse_flags(line, shell.user_ns, magic=MAGIC)
    if flags.words:
        raise ConfigError(
            f"{MAGIC} takes flags, and {flags.words[0]!r} is none.", fix=f"`{MAGIC}?` lists all. The code goes below."
        )
    cell = read_body(line, body, shell)
    settings = _choose_settings(flags, cell)
    choice = choose_names(cell.names, flags, shell.user_ns)
    said = render_sent(choice.names, choice.doubts)
    overrides = list(describe_overrides(settings))
    if flags.dry_run:
        _say(*said[1:], *(f"{PREFIX}{override}" for override in overrides))  # the table says the rest
        _show_dry_run(cell, choice.names, flags, settings, shell)
        return None
    _say(*said)
    _check_size(choice.names, flags, settings)
    call = _build_call(cell, choice.names, flags, shell)
    job = create_job(call[0], call[1:], {}, settings, conclude=_conclude(flags, settings))
    if flags.detach:
        job._submit()
        _say(f"sm_remote: training job {job.name} runs; for its output and names: %remote attach {job.name}")
        if has_reader(shell):
            button = ", or the button while its kernel is idle" if has_widgets() else ""
            hint = f"To stop it: sm-remote stop {job.name}{button}"
            JobView(job, notes=overrides, hint=hint, shows_log=True).open()
        return None
    return watch_cell(job, settings, shell, overrides=overrides)


def attach_cell(name: str, flags: Flags, shell: Any) -> tuple[Any, BaseException | None]:
    """Shows the output of a job from its beginning, waits for its end, and assigns its names.

    Args:
        name: The job's, or an unambiguous beginning of it.
        flags: Of the line.
        shell: IPython's.

    Returns:
        The value of a job that ran a function, and what the job raised.
    """
    settings = resolve_settings(flags.settings)
    connection = connect_with(settings)
    full = resolve_name(connection, name)
    job = attach_through(connection, full, conclude=_conclude(flags, settings))
    error = watch_cell(job, settings, shell)
    return job.result().value, error


def watch_cell(
    job: Job[CellEnding], settings: ResolvedSettings, shell: Any, *, overrides: Sequence[str] = ()
) -> BaseException | None:
    """Shows a job's output until its end, and assigns its names; gives what the cell raised."""
    output = open_output(job, settings, shell, overrides=overrides)
    try:
        failure = see_through(job, settings, audience=output)
        if failure is not None:
            return failure
        ending = job.result()
        output.finish(ending.shown)
        if ending.withheld:
            output.notes = render_withheld(ending, job.name)
        elif ending.is_cell:
            assigned = assign_names(ending, shell.user_ns)
            output.notes = render_returned(ending, assigned.lost)
            remember_value(assigned.value, shell)
        if ending.error is not None:
            output.drop_traceback()
        return ending.error
    except KeyboardInterrupt:
        interrupt_jobs([job], settings.on_interrupt)
        raise
    finally:
        output.close()


def _choose_settings(flags: Flags, cell: CellBody) -> ResolvedSettings:
    settings = resolve_settings(flags.settings)
    inline = read_cell_metadata(cell.text)
    if inline is None or "dependencies" in flags.settings:
        return settings
    origins = {**settings.origins, "dependencies": "cell"}
    asked: Any = inline  # what the capture takes, although no source of settings can hold it
    return dataclasses.replace(settings, dependencies=asked, origins=origins)


def _check_size(names: MeasuredNames, flags: Flags, settings: ResolvedSettings) -> None:
    if flags.yes or names.total_bytes <= settings.cell_limit_bytes:
        return
    largest = max(names.sizes_bytes, key=lambda name: names.sizes_bytes[name])
    raise ConfigError(
        f"The cell would send {render_size(names.total_bytes)}; nothing was sent.",
        why=f"That is more than cell_limit_bytes ({render_size(settings.cell_limit_bytes)}); the largest is "
        f"{largest!r} with {render_size(names.sizes_bytes[largest])}.",
        fix=f"Put --yes on the line of {MAGIC} to send it, raise cell_limit_bytes, or load the data in the cell.",
        size_bytes=names.total_bytes,
    )


def _show_dry_run(cell: CellBody, names: MeasuredNames, flags: Flags, settings: ResolvedSettings, shell: Any) -> None:
    call = _build_call(cell, names, flags, shell)
    explained = explain_cell(call, names, cell.names, settings)
    if replaces_output(shell):
        from IPython.display import display

        display(explained)  # type: ignore[no-untyped-call]
    else:
        _say(str(explained))
    _say(describe_return(cell.names, flags, names), describe_cost(call[0], settings))


def _build_call(cell: CellBody, names: MeasuredNames, flags: Flags, shell: Any) -> tuple[Any, Any]:
    """What is called in the job, and with what: unpickled, a namespace is the dictionary that the cell takes."""
    code = Cell(
        cell.source,
        text=cell.text,
        filename=cell.filename,
        flags=cell.flags,
        interactivity=cell.interactivity,
        wanted=flags.wants,
        left_out=names.refused,
        has_shell=cell.has_shell,
    )
    return code, Namespace(names.values, shell.user_ns)


def _conclude(flags: Flags, settings: ResolvedSettings) -> functools.partial[CellEnding]:
    return functools.partial(conclude_cell, limit_bytes=None if flags.yes else settings.cell_limit_bytes)


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
