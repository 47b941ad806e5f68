from __future__ import annotations

import functools
import operator

import pytest

from sm_remote.capture.function import (
    bind_call,
    check_runnable,
    describe_function,
    display_name,
    find_module,
    parameter_names,
)
from sm_remote.errors import CaptureError
from sm_remote.runtime.cell import Cell


def plain(a, /, b, *rest, c, d=4, **more): ...


async def asynchronous(): ...


def generator():
    yield 1


async def asynchronous_generator():
    yield 1


class Model:
    def fit(self, rows): ...

    async def fit_soon(self): ...

    def each(self):
        yield self

    @classmethod
    def load(cls): ...

    @staticmethod
    def check(): ...

    def __call__(self): ...


class AsyncCall:
    async def __call__(self): ...


class GeneratorCall:
    def __call__(self):
        yield 1


@pytest.mark.parametrize(
    ("func", "name"),
    [
        (plain, "plain"),
        (lambda: 0, "lambda"),
        (Model().fit, "Model.fit"),
        (Model.load, "Model.load"),
        (Model.check, "check"),
        (Model, "Model"),
        (Model(), "Model"),
        (pow, "pow"),
        (len, "len"),
        ([].append, "list.append"),
        (functools.partial(functools.partial(plain, 1), 2), "plain"),
        (operator.itemgetter(1), "itemgetter"),
        (functools.lru_cache(plain), "plain"),
    ],
)
def test_every_kind_of_callable_has_a_name_and_can_run(func, name):
    assert describe_function(func).name == name == display_name(func)
    assert describe_function(func).call == "plain"


@pytest.mark.parametrize("func", [asynchronous, functools.partial(asynchronous), Model().fit_soon, AsyncCall()])
def test_coroutine_functions_are_told_apart(func):
    assert describe_function(func).call == "async"


@pytest.mark.parametrize(
    "func", [generator, asynchronous_generator, functools.partial(generator), Model().each, GeneratorCall()]
)
def test_generator_functions_are_refused_with_the_reason(func):
    with pytest.raises(CaptureError, match="generator function") as caught:
        check_runnable(func)
    assert "one value" in caught.value.why
    assert "list" in caught.value.fix


@pytest.mark.parametrize("func", [3, "train", None, vars(Model)["load"]])
def test_what_is_not_callable_is_refused(func):
    with pytest.raises(CaptureError, match="cannot run as a training job"):
        check_runnable(func)


def test_an_instance_type_in_the_functions_place_is_recognised():
    with pytest.raises(CaptureError, match="not callable") as caught:
        check_runnable("ml.m5.large")
    assert "@remote(instance_type='ml.m5.large')" in caught.value.fix


def test_arguments_bind_as_python_binds_them():
    assert bind_call(plain, (1, 2, 3), {"c": 5, "e": 6}) == ((1, 2, 3), {"c": 5, "e": 6})
    assert bind_call(plain, (1,), {"b": 2, "c": 3}) == bind_call(plain, (1, 2), {"c": 3})
    assert bind_call(Model().fit, ("rows",), {}) == (("rows",), {})
    assert bind_call(functools.partial(plain, 1), (2,), {"c": 3}) == ((2,), {"c": 3})


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2), {}), ((1,), {"a": 1, "b": 2, "c": 3}), ((1, 2), {"b": 2, "c": 3})],
)
def test_wrong_arguments_fail_with_the_text_that_a_direct_call_gives(args, kwargs):
    def strict(a, /, b, *, c): ...

    with pytest.raises(TypeError) as direct:
        strict(*args, **kwargs)
    with pytest.raises(TypeError) as bound:
        bind_call(strict, args, kwargs)
    assert str(bound.value) == str(direct.value)
    assert not isinstance(bound.value, CaptureError)


def test_builtins_are_checked_where_they_have_a_signature():
    assert bind_call(pow, (2, 3), {}) == ((2, 3), {})
    assert bind_call(max, (1, 2, 3, 4), {}) == ((1, 2, 3, 4), {})
    with pytest.raises(TypeError):
        bind_call(pow, (), {})


def test_arguments_are_named_after_their_parameters():
    assert parameter_names(plain, (1, 2, 3, 4)) == ["a", "b", "rest[0]", "rest[1]"]
    assert parameter_names(max, (1, 2)) == ["1", "2"]


@pytest.mark.parametrize(
    ("func", "module"),
    [
        (plain, "tests.unit.capture.test_function"),
        (functools.partial(plain, 1), "tests.unit.capture.test_function"),
        (Model().fit, "tests.unit.capture.test_function.Model"),
        (Cell("1", text="1", filename="<cell>"), "fit.ipynb"),
    ],
)
def test_a_function_is_from_its_module_and_a_cell_from_its_notebook(func, module):
    assert find_module(func, notebook="fit.ipynb") == module


def test_a_function_of_a_notebook_is_told_by_the_notebook():
    def train(): ...

    train.__module__ = "__main__"
    train.__qualname__ = "train"
    assert find_module(train, notebook="fit.ipynb") == "fit.ipynb"
    assert find_module(train) not in (None, "", "__main__")  # the program that runs the tests
