"""What a cell raised, raised in the notebook: with the cell's own lines, and none of the way that it took here."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NoReturn

from sm_remote.errors import CaptureError
from sm_remote.jobs.outcome.plain_errors import shorten


def raise_in_notebook(error: BaseException, shell: Any) -> NoReturn:
    """Raises an error so that IPython shows the job's frames, or where there are none the message alone.

    Args:
        error: What the job raised, or an error of ours.
        shell: IPython's.
    """
    __tracebackhide__ = True
    if isinstance(error, SyntaxError):
        # IPython shows one that leaves a magic with every frame of its own.
        error = _describe_syntax_error(error)
    shorten(error)
    frames = error.__traceback__

    def render() -> list[str]:
        # Once: where it is raised again, elsewhere, it is shown like any other.
        del error._render_traceback_  # type: ignore[attr-defined]
        kind = type(error)
        if isinstance(error, CellSyntaxError):
            return list(shell.SyntaxTB.structured_traceback(SyntaxError, error.syntax_error, []))
        if frames is None:
            return list(shell.InteractiveTB.get_exception_only(kind, error))
        return list(shell.InteractiveTB.structured_traceback(kind, error, frames, tb_offset=0))

    with suppress(AttributeError):  # an exception without attributes of its own: IPython shows our frames too
        error._render_traceback_ = render  # type: ignore[attr-defined]
    raise error


class CellSyntaxError(CaptureError):
    """A cell that is no Python, shown as IPython shows a syntax error of any cell.

    Attributes:
        syntax_error: What Python says.
    """

    syntax_error: SyntaxError


def _describe_syntax_error(error: SyntaxError) -> CellSyntaxError:
    described = CellSyntaxError(
        f"SyntaxError: {error.msg} (line {error.lineno} of the cell); nothing was sent.",
        why=(error.text or "").strip(),
        line=error.lineno,
    )
    described.syntax_error = error
    return described
