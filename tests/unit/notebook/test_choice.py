"""Which of the notebook's names a cell is given."""

from __future__ import annotations

import ast
import threading
from typing import Any

import pytest

from sm_remote.errors import ConfigError, UndefinedName
from sm_remote.notebook.analysis import analyse
from sm_remote.notebook.choice import Choice, choose_names
from sm_remote.notebook.flags import Flags
from sm_remote.notebook.report import render_sent


def choose(source: str, home: dict[str, Any], flags: Flags | None = None, optional: tuple[str, ...] = ()) -> Choice:
    return choose_names(analyse(ast.parse(source), optional), flags or Flags(), home)


def make_home(source: str) -> dict[str, Any]:
    home: dict[str, Any] = {"__name__": "__main__"}
    exec(source, home)
    return home


def test_functions_bring_along_what_they_look_up() -> None:
    home = make_home(
        "limit = 3\ndef inner(x): return x > limit\ndef outer(x): return inner(x)\nclass Rule:\n"
        "    def test(self, x): return outer(x)\nrule = [Rule()]\nother = 1"
    )
    found = choose("rule[0].test(1)", home).names
    assert list(found.values) == ["rule", "outer", "inner", "limit"]
    assert found.because == {"outer": "Rule.test()", "inner": "outer()", "limit": "inner()"}


def test_a_big_array_is_measured_and_not_copied() -> None:
    found = choose("len(data)", {"data": bytearray(10_000_000)}).names
    assert 10_000_000 <= found.sizes_bytes["data"] < 10_001_000


def test_what_cannot_travel_is_told_with_its_place() -> None:
    found = choose("a, b", {"a": {"locks": [threading.Lock()]}, "b": 1}).names
    assert list(found.values) == ["b"]
    assert "['locks'] -> [0] -> _thread.lock cannot be pickled" in found.refused["a"]
    assert render_sent(found) == [
        f"sm_remote: sends b ({found.sizes_bytes['b']} B)",
        f"sm_remote: cannot send a: {found.refused['a']}",
    ]


def test_names_that_are_optional_are_sent_where_they_are_there() -> None:
    assert list(choose("1", {"word": "x"}, optional=("word", "HOME")).names.values) == ["word"]


@pytest.mark.parametrize("source", ["from m import *\nfoo", "exec(code)\nfoo", "foo = foo if 0 else 1"])
def test_a_cell_that_may_define_a_name_may_read_it(source: str) -> None:
    choose(source, {"code": ""})


def test_a_doubt_is_told_and_goes_on() -> None:
    choice = choose("def later(): return missing\neval('a')", {})
    assert "'missing', which is not defined yet" in choice.doubts[0]
    assert "--in" in choice.doubts[1]


def test_every_missing_name_is_told_with_its_line() -> None:
    with pytest.raises(UndefinedName) as caught:
        choose("a\nb\nc = d", {"aa": 1})
    assert caught.value.facts["missing"] == ("a", "b", "d")
    assert caught.value.facts["line"] == 1
    assert isinstance(caught.value, NameError)


def test_the_line_may_name_what_goes() -> None:
    assert list(choose("missing", {"x": 1}, Flags(sends=("x",))).names.values) == ["x"]
    with pytest.raises(ConfigError):
        choose("1", {}, Flags(sends=("x",)))


def test_a_name_to_send_is_looked_for_among_the_notebooks_own_alone() -> None:
    home = {"open": open, "Out": {}, "exit": None, "_nope": 1, "note": 1}
    with pytest.raises(ConfigError) as caught:
        choose("1", home, Flags(sends=("nope",)))
    assert caught.value.fix == "Did you mean 'note'?"
    with pytest.raises(ConfigError) as caught:
        choose("1", {"open": open, "pi": 3}, Flags(sends=("ope",)))
    assert "Did you mean" not in caught.value.fix


def test_many_names_are_summed_up() -> None:
    home = {f"name_{number}": number for number in range(20)}
    (line,) = render_sent(choose("\n".join(home), home).names)
    assert line.count(" B)") == 13
    assert ", 8 more (" in line
