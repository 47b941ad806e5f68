"""Makes a real traceback of frames that were elsewhere: every tool shows the job's lines as it shows our own."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Sequence
from types import TracebackType

from sm_remote.wire.outcome import Frame

_OPENING = re.compile(r"\s*(?:async\s+)?def\s+(\w+)")


class _EnteredError(Exception):
    """Raised where a frame is wanted."""


def build_traceback(frames: Sequence[Frame]) -> TracebackType | None:
    """Builds a traceback, outermost frame first; None without frames."""
    built: TracebackType | None = None
    for frame in reversed(frames):
        entry = _enter(frame)
        built = TracebackType(built, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return built


def find_remote_part(frames: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that `build_traceback` made, behind whatever raised it here; None without one."""
    while frames is not None and frames.tb_frame.f_globals.get("_EnteredError") is not _EnteredError:
        frames = frames.tb_next
    return frames


def shows_remote_frames(error: BaseException) -> bool:
    """Whether who sees the error raised sees the job's frames too, be it as those of its cause."""
    shown = (error, error.__cause__)
    return any(each is not None and find_remote_part(each.__traceback__) is not None for each in shown)


def _enter(frame: Frame) -> TracebackType:
    """Runs one statement that has the frame's file, function and line, and raises there."""
    first = find_first_line(frame)
    tree = ast.parse("raise _EnteredError")
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr)):
            node.lineno = node.end_lineno = frame.lineno - first + 1
            # No column: the real one is not known, and the interpreter would underline it.
            node.col_offset = node.end_col_offset = -1
    code = compile(tree, frame.filename, "exec")
    # Lines in a code object count from its first one, so this moves the statement along to its own line.
    code = code.replace(co_name=frame.name, co_firstlineno=code.co_firstlineno + first - 1)
    try:
        exec(code, {"__name__": frame.name, "__file__": frame.filename, "_EnteredError": _EnteredError})  # noqa: S102 - ours
    except _EnteredError as raised:
        entry = raised.__traceback__
        if entry is not None and entry.tb_next is not None:
            return entry.tb_next
    raise AssertionError("the statement did not raise")


def find_first_line(frame: Frame) -> int:
    """Where the frame's function begins, as far as its source tells.

    IPython numbers the lines of code that is in no file from there, so a wrong one shows other lines than ran.
    """
    if frame.name == "<module>":
        return 1
    lines = linecache.getlines(frame.filename)[: frame.lineno]
    indent = _measure_indent(lines[-1]) if lines else 0
    for number in range(len(lines), 0, -1):
        found = _OPENING.match(lines[number - 1])
        # A generator expression or a lambda belongs to the function around it.
        if found and (found[1] == frame.name or ("<" in frame.name and _measure_indent(lines[number - 1]) < indent)):
            return number
    return frame.lineno


def _measure_indent(line: str) -> int:
    return len(line) - len(line.lstrip())
