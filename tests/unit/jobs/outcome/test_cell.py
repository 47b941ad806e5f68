"""The end of a cell's job: its names, also where some cannot be loaded here, and what it raised."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sm_remote.jobs.outcome.cell import CellEnding, ReturnedName
from sm_remote.runtime import failure
from sm_remote.wire.digest import HashingWriter
from sm_remote.wire.namespace import Namespace
from sm_remote.wire.outcome import load_names, load_object, read_header
from sm_remote.wire.outcome_writer import write_cell

FACTS = {"python": "3.11.7", "started": 1.0, "ended": 2.0}


def write(
    path: Path, names: dict[str, Any], *, error: BaseException | None = None, home: dict[str, Any] | None = None
) -> None:
    raised: dict[str, Any] = {}
    if error is not None:
        pickles, note = failure.pickle_chain(error)
        raised = {"description": {**failure.describe_exception(error, phase="run"), "note": note}, "pickles": pickles}
    with path.open("wb") as file:
        write_cell(HashingWriter(file), Namespace(names, home or {}), {"names": [], "shown": []}, FACTS, **raised)


def end_of(path: Path, names: dict[str, Any]) -> CellEnding:
    returned = tuple(ReturnedName(name=name, type_name="", size_bytes=1, change="assigned") for name in names)
    return CellEnding(returned=returned, path=(path, read_header(path)))


def test_names_come_back_with_what_they_share(tmp_path: Path) -> None:
    shared = [1]
    names = {"a": shared, "b": {"a": shared}}
    write(tmp_path / "outcome", names)
    header = read_header(tmp_path / "outcome")
    assert (header.kind, header.cell) == ("value", {"names": [], "shown": []})
    found = load_names(tmp_path / "outcome", header)
    assert found == names
    assert found["b"]["a"] is found["a"]
    assert load_object(tmp_path / "outcome", header) == names


@pytest.mark.parametrize("error", [KeyError("x"), type("Local", (Exception,), {"__reduce__": lambda self: 1 / 0})()])
def test_what_was_raised_and_the_names_stand_beside_each_other(tmp_path: Path, error: BaseException) -> None:
    write(tmp_path / "outcome", {"a": bytes(100_000)}, error=error)
    header = read_header(tmp_path / "outcome")
    assert header.kind == "exception"
    assert load_names(tmp_path / "outcome", header) == {"a": bytes(100_000)}
    if header.pickled:
        assert repr(load_object(tmp_path / "outcome", header)) == "KeyError('x')"


def test_functions_of_the_notebook_look_names_up_where_they_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    home = vars(main)
    exec("limit = [1]\ndef over(x): return x > limit[0]\nclass Rule:\n    def test(self, x): return over(x)", home)
    write(tmp_path / "outcome", {"over": home["over"], "rule": home["Rule"]()}, home=home)
    assert b"limit" in (tmp_path / "outcome").read_bytes()  # the code's name for it, not its value
    elsewhere = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", elsewhere)
    found = load_names(tmp_path / "outcome", read_header(tmp_path / "outcome"))
    assert "limit" not in vars(elsewhere)
    vars(elsewhere).update(found, limit=[10])
    assert not found["over"](5)
    assert found["rule"].test(11)


def test_a_name_whose_module_is_not_here_does_not_cost_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("only_in_the_job")
    exec("class Booster:\n    def __init__(self): self.trees = [1]\n    def __setstate__(self, s): pass", vars(module))
    monkeypatch.setitem(sys.modules, "only_in_the_job", module)
    kind = vars(module)["Booster"]
    names = {"n": 1, "model": {"best": kind()}, "rows": [2], "kind": kind}
    write(tmp_path / "outcome", names)
    monkeypatch.delitem(sys.modules, "only_in_the_job")
    values, lost = end_of(tmp_path / "outcome", names).load()
    assert values == {"n": 1, "rows": [2]}
    assert [name for name, _ in lost] == ["model", "kind"]
    assert "the module 'only_in_the_job', which is not installed here" in lost[0][1]


def test_values_that_raise_as_they_are_loaded_are_told(tmp_path: Path) -> None:
    names = {"bad": _Raises()}
    write(tmp_path / "outcome", names)
    values, lost = end_of(tmp_path / "outcome", names).load()
    assert values == {}
    assert lost == [("bad", "ValueError: not today")]


def _raise() -> None:
    raise ValueError("not today")


class _Raises:
    def __reduce__(self) -> Any:
        return _raise, ()


def test_a_function_has_no_names() -> None:
    assert not CellEnding(value=1).is_cell
    assert CellEnding(value=1).load() == ({}, [])
