"""A cell's code: what is displayed of it, what it changes, what its shell understands."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sm_remote.runtime import display
from sm_remote.runtime.cell import Cell, CellEnd, compile_steps, run_cell
from sm_remote.runtime.cell_result import collect_result
from sm_remote.runtime.shell import Shell
from sm_remote.wire.layout import CHECKPOINT_DIRECTORY_VARIABLE
from sm_remote.wire.marker import split_display

DIGEST = "d" * 64


def make_cell(source: str, **options: Any) -> Cell:
    return Cell(source, text=source, filename="<cell of a test>", **options)


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A ``__main__`` for a cell, with a screen."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.setattr("builtins.display", None, raising=False)
    display.open_screen(DIGEST, lambda: sys.stdout)
    return vars(sys.modules["__main__"])


def texts() -> list[str]:
    return [data["text/plain"] for _, data, _ in display.screen().list_places()]


@pytest.mark.parametrize(
    ("interactivity", "source", "shown"),
    [
        ("last_expr", "1\n2", ["2"]),
        ("last_expr", "1\n2;", []),
        ("last_expr", "1\n2; # quiet", []),
        ("last_expr", "1\nx = 2", []),
        ("last_expr", "None", []),
        ("last_expr", "'a;'", ["'a;'"]),
        ("last_expr", "if True:\n    3", []),
        ("all", "1\nx = 2\n3", ["1", "3"]),
        ("none", "1", []),
        ("last_expr_or_assign", "x = 4", ["4"]),
        ("last_expr_or_assign", "x: int = 5", ["5"]),
        ("last_expr_or_assign", "x = 1; x += 5", ["6"]),
    ],
)
def test_expressions_are_shown_as_ipython_shows_them(
    main: dict[str, Any], interactivity: str, source: str, shown: list[str]
) -> None:
    assert run_cell(make_cell(source, interactivity=interactivity), {}).error is None
    assert texts() == shown


def test_lines_stay_those_of_the_cell_in_every_stretch(main: dict[str, Any]) -> None:
    end = run_cell(make_cell("\na = 1\na\n\n1 / 0", interactivity="all"), {})
    assert isinstance(end.error, ZeroDivisionError)
    frames = end.error.__traceback__
    assert frames is not None
    while frames.tb_next is not None:
        frames = frames.tb_next
    assert (frames.tb_frame.f_code.co_filename, frames.tb_lineno) == ("<cell of a test>", 5)


def test_a_future_statement_holds_for_the_whole_cell(main: dict[str, Any]) -> None:
    source = "from __future__ import annotations\n1\ndef f(x: Unknown): pass\nf.__annotations__"
    assert run_cell(make_cell(source), {}).error is None
    assert texts() == ["{'x': 'Unknown'}"]
    assert len(list(compile_steps(make_cell(source)))) == 2


def run(source: str, names: dict[str, Any], **options: Any) -> CellEnd:
    end = run_cell(make_cell(source, **options), names)
    assert end.error is None, end.error
    return end


def test_what_is_assigned_changed_and_deleted_is_seen(main: dict[str, Any]) -> None:
    names = {"same": [1], "grown": [1], "gone": [1], "again": [1], "n": 1}
    result = collect_result(run("grown.append(2)\ndel gone\nagain = [1]\nnew = n\nimport json as j", names))
    assert [(name, change) for name, _, _, change in result.told] == [
        ("grown", "changed"),
        ("again", "assigned"),
        ("new", "assigned"),
    ]
    assert (result.deleted, result.modules) == (["gone"], {"j": "json"})


def test_names_of_the_interpreter_do_not_come(main: dict[str, Any]) -> None:
    result = collect_result(run("_ = 1\n_i3 = 2\n__x__ = 3\n_4 = 5\n_own = 6\nfor _ in []: pass", {}))
    assert [name for name, *_ in result.told] == ["_own"]


def test_names_that_are_wanted_come_though_nothing_changed(main: dict[str, Any]) -> None:
    result = collect_result(run("b = 2", {"a": [1]}, wanted=("a", "c")))
    assert [name for name, *_ in result.told] == ["a"]
    assert result.absent == ["c"]


def test_a_checkpoint_of_the_cell_stays_behind_without_a_word(
    main: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CHECKPOINT_DIRECTORY_VARIABLE, str(tmp_path))
    source = "import sm_remote\nwith sm_remote.checkpoint('state') as ckpt:\n    ckpt.save(1)\ndone = True"
    result = collect_result(run(source, {}))
    assert ([name for name, *_ in result.told], result.refused) == (["done"], [])
    assert "ckpt" in [name for name, _ in collect_result(run(source, {}, wanted=("ckpt",))).refused]


def test_a_nan_and_a_set_are_not_taken_for_changed(main: dict[str, Any]) -> None:
    names = {"x": [float("nan")], "s": {"a", "b", "c"}, "d": {"k": {1, 2}}}
    assert collect_result(run("len(s), x[0] == x[0], sorted(d)", names)).told == []


def test_each_place_has_its_line_in_the_log(main: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    run("print('a', end='')\nh = display('b', display_id=True)\nh.update('c')\ndisplay('x' * 5000)", {})
    lines = capsys.readouterr().out.splitlines()
    marks = [split_display(line, DIGEST) for line in lines]
    assert [(found[0], found[1].kind, found[1].number) for found in marks if found] == [
        ("a", "show", 0),
        ("", "update", 0),
        ("", "show", 1),
    ]
    assert all(len(line) < 4200 for line in lines)
    assert [text[:4] for text in texts()] == ["'c'", "'xxx"]


def test_output_beyond_all_measure_is_its_text(main: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display.screen(), "_bytes_left", 1000)
    display.display({"text/plain": "small", "text/html": "x" * 2000}, raw=True)
    (_, data, _) = display.screen().list_places()[0]
    assert set(data) == {"text/plain"}
    assert "bytes of output were left out" in data["text/plain"]


@pytest.mark.parametrize(
    ("line", "expanded"),
    [
        ("echo {word} $word", "echo hi hi"),
        ("echo {word.upper()!r:>6}", "echo   'HI'"),
        ("echo ${HOME} {a,b} $1 $$word", "echo ${HOME} {a,b} $1 $$word"),
        ("awk '{print $1}' {word}", "awk '{print $1}' hi"),
        ("echo {unknown} $unknown", "echo {unknown} $unknown"),
        ("echo {{word}}", "echo {{word}}"),
    ],
)
def test_a_shell_line_takes_names_of_the_cell_and_leaves_the_shells_own(line: str, expanded: str) -> None:
    assert Shell({"word": "hi"}).var_expand(line) == expanded


def test_variables_and_the_directory_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_A_CELL", "before")
    shell = Shell({})
    shell.run_line_magic("env", "OF_A_CELL=a b")
    assert shell.run_line_magic("env", "OF_A_CELL") == "a b"
    shell.run_line_magic("cd", "/")
    assert shell.run_line_magic("pwd", "") == "/"
    assert shell.getoutput("printf 'x\\ny'; exit 3") == ["x", "y"]
    assert shell.user_ns["_exit_code"] == 3
