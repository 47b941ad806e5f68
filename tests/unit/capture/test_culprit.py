from __future__ import annotations

import collections
import functools
import socket
import threading
from typing import Any

import pytest

from sm_remote.capture.plan import plan_call
from sm_remote.errors import CaptureError
from tests.cells import run_cell


@pytest.fixture
def fault_of(home, here):
    def find(func: Any, *args: Any, **kwargs: Any) -> CaptureError:
        with (
            pytest.raises(CaptureError) as caught,
            plan_call(func, args, kwargs, home=home, dependencies=None, python=here),
        ):
            raise AssertionError("it was pickled")
        return caught.value

    return find


def train(frame: Any = None, *rest: Any, **more: Any) -> None: ...


class Holder:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def show(self) -> None: ...


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner


Pair = collections.namedtuple("Pair", "first second")
LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (LOCK, "argument 'frame' -> _thread.lock"),
        ({"conn": LOCK}, "argument 'frame' -> ['conn'] -> _thread.lock"),
        ([1, (2, {"a b": [LOCK]})], "argument 'frame' -> [1] -> [1] -> ['a b'] -> [0] -> _thread.lock"),
        (Holder(Slotted(LOCK)), "argument 'frame' -> attribute inner -> attribute inner -> _thread.lock"),
        (Pair(1, LOCK), "argument 'frame' -> attribute second -> _thread.lock"),
        (functools.partial(print, LOCK), "argument 'frame' -> the partial's argument 1 -> _thread.lock"),
        (
            Holder(LOCK).show,
            "argument 'frame' -> the object of Holder.show() -> attribute inner -> _thread.lock",
        ),
        ((n for n in "abc"), "argument 'frame' -> generator"),
        (collections.OrderedDict(x=LOCK), "argument 'frame' -> ['x'] -> _thread.lock"),
        (collections.deque([LOCK]), "argument 'frame' -> [0] -> _thread.lock"),
    ],
)
def test_the_path_to_what_cannot_be_pickled_is_named(fault_of, value, path):
    error = fault_of(train, value)
    assert error.facts["path"] == path
    assert str(error).startswith(f"train() cannot be sent to a job: {path} cannot be pickled.")
    assert "pickle" in error.why


def test_each_argument_has_its_name(fault_of):
    assert fault_of(train, 1, 2, LOCK).facts["path"] == "argument 'rest[1]' -> _thread.lock"
    assert fault_of(train, key=LOCK).facts["path"] == "argument 'key' -> _thread.lock"


def test_variables_that_the_function_uses_are_named(fault_of):
    cell = run_cell(
        """
        import threading
        class Model:
            def __init__(self): self.lock = threading.Lock()
        model = Model()
        def helper(): return model
        def train(): return helper()
        def made():
            handle = threading.Lock()
            def inner(): return handle
            return inner
        def with_default(x=threading.Lock()): ...
        class Base:
            shared = threading.Lock()
        def builds(): return Base()
        """
    )
    assert (
        fault_of(cell["helper"]).facts["path"] == "variable 'model' used by helper() -> attribute lock -> _thread.lock"
    )
    assert fault_of(cell["train"]).facts["path"] == (
        "variable 'helper' used by train() -> variable 'model' used by helper() -> attribute lock -> _thread.lock"
    )
    assert fault_of(cell["made"]()).facts["path"] == "variable 'handle' used by inner() -> _thread.lock"
    assert fault_of(cell["with_default"]).facts["path"] == "default of 'x' of with_default() -> _thread.lock"
    assert fault_of(cell["builds"]).facts["path"] == "variable 'Base' used by builds() -> Base.shared -> _thread.lock"


@pytest.mark.parametrize("mode", ["r", "w", "r+", "rb", "wb"])
def test_an_open_file_is_refused_whatever_it_was_opened_for(fault_of, tmp_path, mode):
    (tmp_path / "rows.csv").write_text("a,b")
    with (tmp_path / "rows.csv").open(mode) as file:
        for error, name in ((fault_of(train, file), "frame"), (fault_of(train, more=file), "more")):
            assert error.what.startswith(f"train() cannot be sent to a job: argument '{name}' -> _io.")
            assert "Open the file inside" in error.fix
        assert (
            "variable 'file' used by reads()"
            in fault_of(run_cell("def reads(): return file", {"file": file})["reads"]).what
        )


def test_advice_fits_the_culprit(fault_of, tmp_path):
    (tmp_path / "f").touch()
    with (tmp_path / "f").open("wb") as file:
        assert "Open the file inside" in fault_of(train, [file]).fix
    assert "list" in fault_of(train, (n for n in "a")).fix
    with socket.socket() as connection:
        assert "Nothing was uploaded" in fault_of(train, connection).fix


def test_things_that_contain_themselves_end(fault_of):
    loop: list[Any] = [LOCK]
    loop.insert(0, loop)
    assert fault_of(train, loop).facts["path"].endswith("[1] -> _thread.lock")


def test_what_is_too_deep_is_said(fault_of):
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    error = fault_of(train, deep)
    assert "argument 'frame'" in error.what
    assert "recursion" in error.why
    while deep:
        deep = deep.pop()


def test_an_object_whose_own_reduction_fails_is_the_culprit(fault_of):
    class Stubborn:
        def __reduce__(self) -> str:
            raise ValueError("I stay here")

    error = fault_of(train, [Stubborn()])
    assert error.facts["path"].endswith("Stubborn")
    assert error.why == "ValueError: I stay here"
    assert isinstance(error.__cause__, ValueError)


def test_running_out_of_memory_or_disk_is_not_blamed_on_the_value(home, here):
    class Full:
        def __reduce__(self) -> str:
            raise MemoryError

    with pytest.raises(MemoryError), plan_call(train, (Full(),), {}, home=home, dependencies=None, python=here):
        pass
