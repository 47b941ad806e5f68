"""Frames that were in a job become a traceback that shows the lines that ran there."""

from __future__ import annotations

import inspect
import linecache
import traceback

import pytest

from sm_remote.jobs.outcome.remote_traceback import build_traceback, find_first_line
from sm_remote.wire.outcome import Frame

CELL = """\
import math

@remote
def root(number):
    def check(value):
        if value < 0:
            raise ValueError("negative")
    check(number)
    return math.sqrt(number)

total = sum(root(n) for n in [1, -1])
"""


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that is nowhere on disk, as a notebook's cells are."""
    name = "/tmp/nowhere/cell_7.py"
    monkeypatch.setitem(linecache.cache, name, (len(CELL), None, CELL.splitlines(keepends=True), name))
    return name


def frame(cell: str, lineno: int, name: str) -> Frame:
    return Frame(filename=cell, name=name, lineno=lineno, line=CELL.splitlines()[lineno - 1].strip())


def test_each_frame_shows_its_own_line_without_underlining(cell: str) -> None:
    error = ValueError("negative")
    error.__traceback__ = build_traceback([frame(cell, 8, "root"), frame(cell, 7, "check")])
    assert "".join(traceback.format_exception(error)) == (
        "Traceback (most recent call last):\n"
        f'  File "{cell}", line 8, in root\n'
        "    check(number)\n"
        f'  File "{cell}", line 7, in check\n'
        '    raise ValueError("negative")\n'
        "ValueError: negative\n"
    )


@pytest.mark.parametrize(
    ("lineno", "name", "first"),
    [
        (8, "root", 4),
        (7, "check", 5),
        (6, "<lambda>", 5),
        (8, "<genexpr>", 4),
        (11, "<genexpr>", 11),
        (11, "<module>", 1),
        (9, "other", 9),
    ],
)
def test_a_frame_begins_where_its_function_is_defined(cell: str, lineno: int, name: str, first: int) -> None:
    assert find_first_line(frame(cell, lineno, name)) == first


def test_what_a_notebook_shows_of_the_code_begins_at_that_line(cell: str) -> None:
    entry = build_traceback([frame(cell, 8, "root")])
    assert entry is not None
    lines, start = inspect.getsourcelines(entry.tb_frame)
    assert lines[entry.tb_lineno - start] == "    check(number)\n"
    assert entry.tb_frame.f_code.co_firstlineno == start


def test_no_frames_make_no_traceback() -> None:
    assert build_traceback([]) is None


@pytest.mark.parametrize("lineno", [0, 1, 100_000])
def test_a_frame_of_unknown_source_keeps_its_line(lineno: int) -> None:
    entry = build_traceback([Frame(filename="<gone>", name="f", lineno=lineno, line="")])
    assert entry is not None
    assert entry.tb_lineno == lineno
