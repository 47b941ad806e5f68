"""The magics themselves: `%%remote` runs a cell as a training job, `%remote` is about the session and its jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from sm_remote.notebook.cell_run import run_cell
from sm_remote.notebook.help_text import describe_cell_magic, describe_line_magic
from sm_remote.notebook.raising import raise_in_notebook
from sm_remote.notebook.session import run_line

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _magic(kind: Any) -> Callable[[_Method], _Method]:
    # Braces in a line may be JSON; `flags` puts values in for $name.
    def mark(method: _Method) -> _Method:
        marked: _Method = no_var_expand(kind("remote")(method))
        return marked

    return mark


@magics_class
class RemoteMagics(Magics):
    """`%%remote` and `%remote`."""

    @_magic(line_magic)
    def remote_line(self, line: str) -> Any:
        """Shows or sets the session's settings, lists jobs, attaches to one."""
        __tracebackhide__ = True
        try:
            value, error = run_line(line, self.shell)
        except (Exception, KeyboardInterrupt) as problem:  # noqa: BLE001 - raised below
            value, error = None, problem
        if error is not None:
            raise_in_notebook(error, self.shell)
        return value

    @_magic(cell_magic)
    def remote_cell(self, line: str, cell: str) -> None:
        """Runs the cell as a training job."""
        __tracebackhide__ = True
        try:
            error = run_cell(line, cell, self.shell)
        except (Exception, KeyboardInterrupt) as problem:  # noqa: BLE001 - raised below
            error = problem
        if error is not None:
            raise_in_notebook(error, self.shell)


RemoteMagics.remote_cell.__doc__ = describe_cell_magic()
RemoteMagics.remote_line.__doc__ = describe_line_magic()
