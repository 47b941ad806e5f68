"""Finds out what exactly cannot be pickled, and by which path the function or an argument leads to it.

Runs only after pickling has failed: it pickles the parts of what failed, then the parts of the part that fails, until
no part of it fails by itself.
"""

from __future__ import annotations

import io
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sm_remote.capture.function import display_name
from sm_remote.capture.pickling import Notes, is_importable, pickle_noting, variables_of
from sm_remote.errors import CaptureError

_MAX_DEPTH = 30
_MAX_PARTS = 2000
Part = tuple[str, Any]


class _Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return memoryview(data).nbytes


def build_error(function_name: str, candidates: Sequence[Part], whole: Any, error: BaseException) -> CaptureError:
    """Builds the error for what could not be pickled.

    Args:
        function_name: Of the function that was to run.
        candidates: The values of which one is to blame, each with what people call it; an empty text adds no step.
        whole: What was pickled, blamed when none of the candidates fails by itself.
        error: What pickling it raised.
    """
    label, value, first = _first_failing(candidates) or ("", whole, error)
    path, culprit, cause = find_culprit(value, first)
    text = " -> ".join([*(step for step in (label, *path) if step), type_name(culprit)])
    return CaptureError(
        f"{function_name}() cannot be sent to a job: {text} cannot be pickled.",
        why=f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__,
        fix=_advise(culprit),
        function_name=function_name,
        path=text,
    )


def _first_failing(candidates: Sequence[Part]) -> tuple[str, Any, BaseException] | None:
    for label, value in candidates:
        error = _pickling_error(value)
        if error is not None:
            return label, value, error
    return None


def find_culprit(value: Any, error: BaseException) -> tuple[list[str], Any, BaseException]:
    """Descends to the deepest part that cannot be pickled by itself.

    Returns:
        The steps to it, the part, and what pickling it raises.
    """
    path: list[str] = []
    seen = {id(value)}
    while len(path) < _MAX_DEPTH:
        found = _failing_part(value, seen)
        if found is None:
            break
        step, value, error = found
        seen.add(id(value))
        path.append(step)
    return path, value, error


def _failing_part(value: Any, seen: set[int]) -> tuple[str, Any, BaseException] | None:
    for count, (step, part) in enumerate(_parts(value)):
        if count >= _MAX_PARTS:
            return None
        if id(part) in seen:
            continue
        error = _pickling_error(part)
        if error is not None:
            return step, part, error
    return None


def _pickling_error(value: Any) -> BaseException | None:
    try:
        pickle_noting(value, _Nowhere(), Notes(), owner="")
    except Exception as error:  # noqa: BLE001 - whatever a reducer raises is what is being looked for
        return error
    return None


def _parts(value: Any) -> Iterator[Part]:
    """What an object is made of, as far as pickling it means pickling that too."""
    for kind, list_parts in _PARTS_OF:
        if isinstance(value, kind):
            yield from list_parts(value)
            return
    yield from _attributes(value)


def _mapping_parts(value: Mapping[Any, Any]) -> Iterator[Part]:
    for key, part in value.items():
        yield f"[{key!r:.60}]", part
    for key in value:
        yield f"key {key!r:.60}", key
    if type(value) is not dict:
        yield from _attributes(value)


def _sequence_parts(value: Any) -> Iterator[Part]:
    names = getattr(value, "_fields", None)
    for index, part in enumerate(value):
        yield (f"attribute {names[index]}" if names else f"[{index}]"), part


def _set_parts(value: Any) -> Iterator[Part]:
    yield from (("element", part) for part in value)


def _function_parts(func: types.FunctionType) -> Iterator[Part]:
    if is_importable(func):
        return
    name = f"{func.__qualname__.rpartition('<locals>.')[2]}()"
    for variable, part in variables_of(func):
        if part is not func:
            yield f"variable '{variable}' used by {name}", part
    defaults = func.__defaults__ or ()
    names = func.__code__.co_varnames[: func.__code__.co_argcount]
    for variable, part in zip(names[len(names) - len(defaults) :], defaults, strict=False):
        yield f"default of '{variable}' of {name}", part
    for variable, part in (func.__kwdefaults__ or {}).items():
        yield f"default of '{variable}' of {name}", part
    yield from ((f"annotation of '{key}' of {name}", part) for key, part in func.__annotations__.items())
    yield from ((f"attribute {key} of {name}", part) for key, part in vars(func).items())


def _method_parts(method: types.MethodType) -> Iterator[Part]:
    yield f"the object of {display_name(method)}()", method.__self__
    yield f"method {method.__func__.__name__}", method.__func__


def _partial_parts(value: partial[Any]) -> Iterator[Part]:
    yield "the partial's function", value.func
    yield from ((f"the partial's argument {index + 1}", part) for index, part in enumerate(value.args))
    yield from ((f"the partial's argument '{key}'", part) for key, part in value.keywords.items())


def _class_parts(kind: type) -> Iterator[Part]:
    if is_importable(kind):
        return
    skipped = {"__dict__", "__weakref__", "__module__", "__doc__"}
    for key, part in vars(kind).items():
        if key not in skipped:
            inner = part.__func__ if isinstance(part, (staticmethod, classmethod)) else part
            yield f"{kind.__qualname__}.{key}", inner
    yield from ((f"base class {base.__name__}", base) for base in kind.__bases__)


def _attributes(value: Any) -> Iterator[Part]:
    """What an object says it consists of: its state, arguments and items, as it reduces to them."""
    try:
        reduced = value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 - it may fail because of an attribute, which says more
        reduced = (None, (), getattr(value, "__dict__", {}))
    if not isinstance(reduced, tuple):
        return
    _, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    yield from _state_parts(state)
    yield from ((f"[{index}]", part) for index, part in enumerate(items or ()))
    yield from ((f"[{key!r:.60}]", part) for key, part in pairs or ())
    yield from (("its content", part) for part in arguments or () if part is not value)
    if not is_importable(type(value)):
        yield f"class {type(value).__qualname__}", type(value)


def _state_parts(state: Any) -> Iterator[Part]:
    halves = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if all(isinstance(half, (dict, type(None))) for half in halves):
        for half in halves:  # attributes, and slots
            yield from ((f"attribute {key}", part) for key, part in (half or {}).items())
    else:
        yield "its state", state


_PARTS_OF: tuple[tuple[type | tuple[type, ...], Callable[[Any], Iterator[Part]]], ...] = (
    (Mapping, _mapping_parts),
    ((list, tuple), _sequence_parts),
    ((set, frozenset), _set_parts),
    (types.FunctionType, _function_parts),
    (types.MethodType, _method_parts),
    (partial, _partial_parts),
    (type, _class_parts),
)


def type_name(value: Any) -> str:
    """A type as people write it: ``_thread.lock``, ``list``."""
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _advise(culprit: Any) -> str:
    if isinstance(culprit, types.GeneratorType):
        return "Make it a list first: a generator's place in its code cannot be sent."
    if isinstance(culprit, io.IOBase):
        return "Open the file inside the function, or pass its content or its path."
    return (
        "Make it inside the function, or pass what it is made from (a path, an address, plain data) in its place. "
        "Nothing was uploaded or started."
    )
