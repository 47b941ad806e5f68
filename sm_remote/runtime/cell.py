"""The code of a notebook's cell: what travels of it, and how it is run as the notebook would have run it.

It runs in a ``__main__`` of its own, whose globals are the names that travelled with it. Statements are compiled with
the cell's own file name and lines, so its tracebacks show them; the value of the last expression is displayed.
"""

from __future__ import annotations

import ast
import inspect
import io
import linecache
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from sm_remote.runtime import display
from sm_remote.runtime.changes import Sent, take_fingerprints

NAME = "cell"
FUTURE_FLAGS = 0x1FE0000
"""Flags of compile() and of code by which ``from __future__ import ...`` goes on holding. Source: ``__future__.py``."""


class Cell:
    """A cell's code, as a callable that is called with the names that it is given.

    Args:
        source: Python; lines and columns are those of ``text``.
        text: What the user wrote, the line of the magic included, for tracebacks.
        filename: By which tracebacks call it.
        flags: Of compile(), for future statements of earlier cells.
        interactivity: Which expressions are displayed, as IPython's ``ast_node_interactivity`` says it.
        wanted: The names that are to come back; None for all that it assigns or changes.
        left_out: Names that it reads and that could not travel, each with the reason.
        has_shell: Whether it calls ``get_ipython()``.
    """

    __name__ = NAME

    def __init__(
        self,
        source: str,
        *,
        text: str,
        filename: str,
        flags: int = 0,
        interactivity: str = "last_expr",
        wanted: tuple[str, ...] | None = None,
        left_out: Mapping[str, str] | None = None,
        has_shell: bool = False,
    ) -> None:
        self.source = source
        self.text = text
        self.filename = filename
        self.flags = flags
        self.interactivity = interactivity
        self.wanted = wanted
        self.left_out = dict(left_out or {})
        self.has_shell = has_shell

    def __call__(self, names: dict[str, Any]) -> CellEnd:
        """Runs the cell with names; `enter_cell` was called before they were loaded."""
        return run_cell(self, names)

    def compile(self) -> CodeType:
        """The whole cell as one code object, to be looked at.

        Raises:
            SyntaxError: It is no Python.
        """
        flags = self.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code: CodeType = compile(self.source, self.filename, "exec", flags, dont_inherit=True)
        return code


@dataclass(kw_only=True, slots=True)
class CellEnd:
    """What a cell left.

    Attributes:
        cell: The cell.
        home: Its globals.
        sent: What it was given.
        error: What it raised.
        value: Of its last expression, where that is displayed: in a notebook ``_`` would be it.
    """

    cell: Cell
    home: dict[str, Any]
    sent: Sent
    error: BaseException | None = field(default=None)
    value: Any = None


class _Step(NamedTuple):
    """A stretch of statements, or one expression whose value is displayed."""

    code: CodeType
    is_shown: bool


def enter_cell(manifest_digest: str) -> None:
    """Gives this process a ``__main__`` for a cell, and takes over what is displayed in it."""
    from sm_remote.runtime.figures_hook import take_over_figures
    from sm_remote.runtime.ipython_hook import take_over_ipython

    main = ModuleType("__main__")
    # Of a module of the interpreter's own, not of ours: cloudpickle and the notebook find it by this name.
    sys.modules["__main__"] = main
    display.open_screen(manifest_digest)
    take_over_ipython()
    take_over_figures()


def run_cell(cell: Cell, names: dict[str, Any]) -> CellEnd:
    """Runs a cell; what it raises is in the end that is returned."""
    home = vars(sys.modules["__main__"])
    home.update(names)
    lines = cell.text.splitlines(keepends=True)
    linecache.cache[cell.filename] = (len(cell.text), None, lines, cell.filename)
    if cell.has_shell:
        from sm_remote.runtime.shell import build_get_ipython

        home["get_ipython"] = build_get_ipython(home)
    end = CellEnd(cell=cell, home=home, sent=take_fingerprints(names, home, cell.wanted))
    try:
        end.value = _execute(cell, home)
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are endings like any other
        end.error = error
        if isinstance(error, NameError) and error.name in cell.left_out:
            _add_note(error, f"{error.name} is in the notebook, but was not sent: {cell.left_out[error.name]}")
    display.screen().show_open_figures()
    if cell.has_shell:
        home.pop("get_ipython", None)
    return end


def _execute(cell: Cell, home: dict[str, Any]) -> Any:
    """Runs it step by step; gives the value of the last one, if that is displayed."""
    steps = list(compile_steps(cell))
    shown = None
    if not any(step.code.co_flags & inspect.CO_COROUTINE for step in steps):
        for step in steps:
            shown = _show(step, eval(step.code, home))  # noqa: S307 - running the user's code is what a job is for
        return shown
    import asyncio

    async def run() -> Any:
        shown = None
        for step in steps:
            value = eval(step.code, home)  # noqa: S307 - as above
            shown = _show(step, await value if step.code.co_flags & inspect.CO_COROUTINE else value)
        return shown

    return asyncio.run(run())


def _show(step: _Step, value: Any) -> Any:
    if not step.is_shown or value is None:
        return None
    display.screen().show_result(value)
    return value


def compile_steps(cell: Cell) -> Iterator[_Step]:
    """Compiles a cell in stretches, between which values are displayed."""
    flags = cell.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(cell.source, cell.filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    whole = compile(tree, cell.filename, "exec", flags, dont_inherit=True)
    flags |= whole.co_flags & FUTURE_FLAGS
    stretch: list[ast.stmt] = []
    for node, is_shown in _mark_shown(tree.body, cell):
        if not is_shown:
            stretch.append(node)
            continue
        if stretch:
            yield _compile_stretch(stretch, cell.filename, flags)
            stretch = []
        expression = ast.Expression(node.value)  # type: ignore[attr-defined] # only expressions are marked
        yield _Step(compile(expression, cell.filename, "eval", flags, dont_inherit=True), is_shown=True)
    if stretch:
        yield _compile_stretch(stretch, cell.filename, flags)


def _compile_stretch(stretch: list[ast.stmt], filename: str, flags: int) -> _Step:
    module = ast.Module(stretch, type_ignores=[])
    return _Step(compile(module, filename, "exec", flags, dont_inherit=True), is_shown=False)


def _mark_shown(body: list[ast.stmt], cell: Cell) -> Iterator[tuple[ast.stmt, bool]]:
    """Pairs each statement with whether it is an expression whose value is displayed."""
    if cell.interactivity == "last_expr_or_assign":
        body = _add_assigned(body)
    shows_last = cell.interactivity != "none" and not ends_quietly(cell.source)
    for position, node in enumerate(body):
        is_last = position == len(body) - 1
        wanted = shows_last if is_last else cell.interactivity == "all"
        yield node, wanted and isinstance(node, ast.Expr)


def _add_assigned(body: list[ast.stmt]) -> list[ast.stmt]:
    last = body[-1] if body else None
    target = last.targets[0] if isinstance(last, ast.Assign) else getattr(last, "target", None)
    if last is None or isinstance(last, ast.Expr) or not isinstance(target, ast.Name):
        return body
    shown = ast.Expr(ast.Name(target.id, ast.Load()))
    ast.copy_location(shown, last)
    return [*body, ast.fix_missing_locations(shown)]


def ends_quietly(source: str) -> bool:
    """Whether the last statement ends with a semicolon: then its value is not displayed."""
    passed_over = {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
        *(tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT),
    }
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return False
    said = [token.string for token in tokens if token.type not in passed_over]
    return bool(said) and said[-1] == ";"


def _add_note(error: BaseException, note: str) -> None:
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:  # Python 3.10
        error.__notes__ = [*getattr(error, "__notes__", []), note]
