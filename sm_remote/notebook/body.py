"""A cell as it was typed, made ready to travel: Python, shell commands and magics as calls, and its names found."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from string import Formatter
from types import FrameType
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.notebook.analysis import CellNames, analyse
from sm_remote.runtime.cell import FUTURE_FLAGS
from sm_remote.runtime.shell import CELL_MAGICS, LINE_MAGICS

_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_VARIABLE = re.compile(r"(?<!\$)\$([A-Za-z_]\w*)")
_INSTALLERS = frozenset({"pip", "conda", "mamba", "micromamba", "uv"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CellBody:
    """A cell that can be run.

    Attributes:
        source: Python, its first line empty: so its lines have the numbers that they have in the notebook.
        text: What the user wrote, the magic's line first.
        filename: By which the notebook knows the cell.
        flags: Of compile(), for future statements of earlier cells.
        interactivity: Which expressions are displayed.
        names: What it does with names.
        has_shell: Whether it has shell commands or magics.
    """

    source: str
    text: str
    filename: str
    flags: int
    interactivity: str
    names: CellNames
    has_shell: bool


def read_body(line: str, body: str, shell: Any) -> CellBody:
    """Reads a cell.

    Args:
        line: What stands behind ``%%remote``.
        body: What stands below it.
        shell: IPython's.

    Raises:
        ConfigError: It is empty, or it has a magic that cannot run in a job.
        SyntaxError: It is no Python; file and line are the cell's own.
    """
    _refuse_cell_magic(body)
    text = f"%%remote {line}".rstrip() + "\n" + body
    source = "\n" + shell.transform_cell(body)
    filename = name_cell(text, shell)
    flags = shell.compile.flags & FUTURE_FLAGS
    tree = compile(source, filename, "exec", flags | _AST, dont_inherit=True)
    if not tree.body:
        raise ConfigError(
            "The cell has nothing to run; nothing was sent.",
            fix="Write what is to run as a job below the line of %%remote.",
        )
    compile(tree, filename, "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    calls = list(_find_shell_calls(tree))
    for call in calls:
        _check_call(call)
    has_shell = any(isinstance(node, ast.Name) and node.id == "get_ipython" for node in ast.walk(tree))
    return CellBody(
        source=source,
        text=text,
        filename=filename,
        flags=flags,
        interactivity=str(shell.ast_node_interactivity),
        names=analyse(tree, [name for call in calls for name in _reads_of(call)]),
        has_shell=has_shell,
    )


_AST = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def name_cell(text: str, shell: Any) -> str:
    """Has IPython remember a cell's text, so that tracebacks show it as they show every cell; gives its file name."""
    return str(shell.compile.cache(text, _find_number(shell)))


def _find_number(shell: Any) -> int:
    """The number of the cell that is being run: IPython 9 counts on before it runs one, earlier ones afterwards."""
    numbers: dict[str, int] = getattr(shell.compile, "_filename_map", {})
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename in numbers:
            return numbers[frame.f_code.co_filename]
        frame = frame.f_back
    return int(shell.execution_count)


def _refuse_cell_magic(body: str) -> None:
    found = _CELL_MAGIC.match(body)
    if found is None or found[1] in CELL_MAGICS:
        return
    name = found[1]
    outside = name in ("timeit", "capture", "prun")
    raise ConfigError(
        f"%%{name} cannot stand inside of %%remote; nothing was sent.",
        why="What it does belongs to the notebook, not to the job."
        if outside
        else "A job knows only %%time, %%bash and %%sh.",
        fix=f"Write it above: %%{name}, then %%remote." if outside else "Write the cell in Python, or leave it here.",
        magic=name,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _ShellCall:
    """A call of IPython's shell that a line of the cell was made into."""

    method: str
    arguments: tuple[str, ...]
    line: int


def _find_shell_calls(tree: ast.Module) -> Iterator[_ShellCall]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        if not isinstance(owner, ast.Call) or not isinstance(owner.func, ast.Name) or owner.func.id != "get_ipython":
            continue
        texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        yield _ShellCall(method=node.func.attr, arguments=tuple(texts), line=node.lineno)


def _check_call(call: _ShellCall) -> None:
    if call.method != "run_line_magic" or not call.arguments or call.arguments[0] in LINE_MAGICS:
        return
    name = call.arguments[0]
    if name in _INSTALLERS:
        why = "In the job it would come too late, and be done again in every job."
        fix = "Name the packages: --dependencies '[\"pandas\"]', or in a comment block `# /// script` (PEP 723)."
    elif name.startswith("pinfo"):
        why, fix = "Help is shown by the notebook, which needs no job for it.", "Ask for it in a cell of its own."
    else:
        why = "What it does belongs to the notebook's own process."
        fix = f"Leave it in a cell of its own. A job knows {', '.join(f'%{each}' for each in sorted(LINE_MAGICS))}."
    raise ConfigError(
        f"Line {call.line} of the cell: %{name} cannot run in a job; nothing was sent.", why=why, fix=fix, magic=name
    )


def _reads_of(call: _ShellCall) -> Iterator[str]:
    """The notebook's names in a shell command or a magic's line: ``{expression}``, ``$name``, the code of %time."""
    is_magic = call.method == "run_line_magic"
    if call.method.startswith("run_") and call.arguments[:1] == ("time",):
        yield from _names_of_code(call.arguments[-1])
        return
    for text in call.arguments[1:] if is_magic else call.arguments:
        yield from _names_in_line(text)


def _names_of_code(code: str) -> Iterator[str]:
    try:
        found = analyse(ast.parse(code))
    except SyntaxError:
        return
    yield from found.reads


def _names_in_line(text: str) -> Iterator[str]:
    try:
        expressions = [field for _, field, _, _ in Formatter().parse(text) if field]
    except ValueError:
        expressions = []
    for expression in [*expressions, *_VARIABLE.findall(text)]:
        yield from _names_of_code(expression)
