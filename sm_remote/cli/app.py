"""The program `sm-remote`: its commands, and how what goes wrong is told. Each command parses, asks, renders, exits.

Exit codes: 0 done, 1 the job or the operation failed, 2 wrong use (click's own), 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from sm_remote import __version__
from sm_remote.cli.account_commands import create_bucket, iam
from sm_remote.cli.capacity_commands import capacity, interrupt
from sm_remote.cli.config_command import config
from sm_remote.cli.cost_commands import costs
from sm_remote.cli.doctor_command import doctor
from sm_remote.cli.drill_command import drill
from sm_remote.cli.image_commands import image
from sm_remote.cli.inert_text import make_lines_inert
from sm_remote.cli.job_commands import jobs, logs, result, show, stop
from sm_remote.cli.layer_commands import layers
from sm_remote.cli.replay_commands import diff, replay
from sm_remote.cli.service_commands import service
from sm_remote.cli.world import build_world
from sm_remote.errors import RemoteError
from sm_remote.home import check_platform

INTERRUPTED = 130


def render_error(error: RemoteError) -> str:
    """An error's three parts: what on the first line, why and what to do indented below."""
    what, *rest = [line for part in (error.what, error.why, error.fix) if part for line in make_lines_inert(part)]
    return "".join([f"Error: {what}\n", *(f"  {line}\n" for line in rest)])


class _Told(click.ClickException):
    """An error of ours on its way out: its parts on stderr, exit code 1, no traceback."""

    exit_code = 1

    def __init__(self, error: RemoteError) -> None:
        super().__init__(error.what)
        self._error = error

    def show(self, file: Any = None) -> None:
        """Writes the error; click calls it."""
        click.echo(render_error(self._error), file=file or sys.stderr, nl=False)


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RemoteError as error:
            raise _Told(error) from error
        except BrokenPipeError:
            raise  # who read our output has seen enough: click ends quietly
        except OSError as error:
            raise _Told(RemoteError(str(error), fix="`sm-remote doctor` looks for the cause.")) from error
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sm-remote", message="%(prog)s %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Notebook functions as SageMaker training jobs, on this machine or on AWS.

    A NAME may be any beginning of a training job's name that only one job has.
    """
    if ctx.obj is None:
        ctx.obj = build_world()


for _command in (
    jobs,
    show,
    logs,
    stop,
    interrupt,
    result,
    replay,
    diff,
    drill,
    image,
    layers,
    costs,
    service,
    config,
    doctor,
    iam,
    create_bucket,
):
    app.add_command(_command)
service.add_command(capacity)


def main() -> None:
    """Runs `sm-remote`."""
    try:
        check_platform(sys.platform)
    except RemoteError as error:
        sys.stderr.write(render_error(error))
        sys.exit(1)
    for stream in (sys.stdout, sys.stderr):
        # A log may hold what the terminal's encoding cannot say.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="sm-remote")
