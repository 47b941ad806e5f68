"""The commands about training jobs: jobs, show, logs, stop, result."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.options import json_option, name_argument, target_option
from sm_remote.cli.world import World

ON_A_TERMINAL = 20
"""How many jobs fit a screen; a pipe gets all of them."""

STATUSES = ["InProgress", "Completed", "Failed", "Stopping", "Stopped"]


@click.command()
@click.option(
    "--status",
    type=click.Choice(STATUSES, case_sensitive=False),
    metavar="STATUS",
    help=f"Only jobs in this state: {', '.join(STATUSES)}.",
)
@click.option("--name", "name_contains", metavar="TEXT", help="Only jobs whose name contains TEXT.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; 20 on a terminal, else all.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@target_option
@json_option
@click.pass_obj
def jobs(
    world: World,
    status: str | None,
    name_contains: str | None,
    limit: int | None,
    everything: bool,
    target: str | None,
    as_json: bool,
) -> None:
    """List training jobs, newest first."""
    from sm_remote.cli.job_rendering import render_jobs, render_jobs_json, render_jobs_tabs, render_no_jobs
    from sm_remote.cli.queries import fetch_jobs

    if everything and limit is not None:
        raise click.UsageError("--all and --limit exclude each other.")
    if limit is None and not everything and world.terminal and not as_json:
        limit = ON_A_TERMINAL
    found = fetch_jobs(world.connect(target), status=status, name_contains=name_contains, limit=limit)
    now = world.now()
    if as_json:
        text = render_jobs_json(found, now=now)
    elif world.terminal:
        text = render_jobs(found, now=now, limit=limit, colours=world.colours)
    else:
        text = render_jobs_tabs(found, now=now)
        if not found.rows:
            sys.stderr.write(render_no_jobs(found))  # a program reads no line, a person why there is none
    sys.stdout.write(text)


@click.command()
@name_argument
@target_option
@json_option
@click.pass_obj
def show(world: World, name: str, target: str | None, as_json: bool) -> None:
    """Show one training job: its state, cost, phases, failure and output."""
    from sm_remote.cli.job_rendering import render_job, render_job_json
    from sm_remote.cli.queries import fetch_details

    details = fetch_details(world.connect(target), name, now=world.now())
    if as_json:
        sys.stdout.write(render_job_json(details, now=world.now()))
    else:
        sys.stdout.write(render_job(details, now=world.now(), width=world.width, colours=world.colours))


@click.command()
@name_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@target_option
@click.pass_obj
def logs(world: World, name: str, follow: bool, target: str | None) -> None:
    """Print a training job's log, and those of the jobs that go on with its work.

    On a terminal its colours stay, a progress bar is one line, and all other control sequences are left out; a file or
    a pipe gets the lines as the job wrote them.
    """
    from sm_remote.cli.queries import follow_from
    from sm_remote.jobs.attach import resolve_name
    from sm_remote.jobs.logs.text_output import TextOutput

    connection = world.connect(target)
    output = TextOutput("redrawn" if world.terminal else "each", flushes=follow)
    try:
        for line in follow_from(connection, resolve_name(connection, name), follow=follow):
            output.write(make_inert(line, colours=world.colours) if world.terminal else line)
    finally:
        output.end()


@click.command()
@name_argument
@target_option
@click.pass_obj
def stop(world: World, name: str, target: str | None) -> None:
    """Stop a training job, or the one that goes on with its work; returns at once. No other follows."""
    from sm_remote.jobs.attach import resolve_name
    from sm_remote.jobs.succession.chain import list_chain, stop_for_good

    connection = world.connect(target)
    newest = list_chain(connection, connection.training_jobs.describe(resolve_name(connection, name, live=True)))[-1]
    if newest.status.is_terminal:
        sys.stdout.write(f"{make_inert(newest.name)} has ended already: {newest.status}.\n")
        return
    stop_for_good(connection, newest)
    sys.stdout.write(f"{make_inert(newest.name)} is being stopped.\n")


@click.command()
@name_argument
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it, pickled, to this file."
)
@target_option
@json_option
@click.pass_context
def result(ctx: click.Context, name: str, output: Path | None, target: str | None, as_json: bool) -> None:
    """Print the value that a training job returned.

    Waits for a job that still runs; an interrupt ends the waiting, not the job. Where the job raised an exception, its
    traceback goes to stderr and the exit code is 1.
    """
    from sm_remote.cli.value_rendering import render_exception, render_value
    from sm_remote.cli.value_writing import build_json, write_value
    from sm_remote.errors import RemoteError
    from sm_remote.jobs.attach import attach_through, resolve_name

    world: World = ctx.obj
    connection = world.connect(target)
    job = attach_through(connection, resolve_name(connection, name))
    if world.terminal and not job.done() and not job.status.is_terminal:  # the value of an ended one is being fetched
        sys.stderr.write(f"{make_inert(job.name)} runs: waiting for its value. An interrupt ends only the waiting.\n")
    error = job.exception()
    if isinstance(error, RemoteError):
        raise error
    if error is not None:
        lines = render_exception(error).splitlines()
        sys.stderr.write("".join(make_inert(line) + "\n" for line in lines))
        ctx.exit(1)
    value = job.result()
    if output is not None:
        sys.stderr.write(write_value(value, output))
    elif as_json:
        sys.stdout.write(build_json(value, job.name))
    else:
        text, note = render_value(value, width=world.width)
        sys.stdout.write("".join(make_inert(line) + "\n" for line in text.splitlines()) if world.terminal else text)
        sys.stderr.write(note)
