"""Finds what in a value cannot be pickled, and says where it is: ``result['model'].lock`` is a ``_thread.lock``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from itertools import islice
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from sm_remote.wire.pickler import ValuePickler

MAX_DEPTH = 50
MAX_CHILDREN = 10_000


class Culprit(NamedTuple):
    """The innermost object that was found to be at fault."""

    path: str
    type_name: str
    reason: str


def find_unpicklable(value: object, name: str) -> Culprit | None:
    """Looks for the part of a value that cannot be pickled, or returns None where all of it can.

    Args:
        value: What could not be pickled.
        name: How to call it, as in ``result`` or an argument's name.
    """
    problem = _try(value)
    if problem is None:
        return None
    seen = {id(value)}
    for _ in range(MAX_DEPTH):
        for path, child in islice(_children(value, name), MAX_CHILDREN):
            if id(child) in seen:
                continue
            seen.add(id(child))
            deeper = _try(child)
            if deeper is not None:
                value, name, problem = child, path, deeper
                break
        else:
            break
    kind = type(value)
    type_name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return Culprit(path=name, type_name=type_name, reason=f"{problem}".strip() or type(problem).__name__)


def _try(value: object) -> Exception | None:
    try:
        ValuePickler(_Nowhere(), buffer_callback=lambda _: None).dump(value)
    except Exception as error:  # noqa: BLE001 - a __reduce__ may raise anything
        return error
    return None


class _Nowhere:
    def write(self, data: Any) -> int:
        return len(data)


def _children(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{path}[{key!r:.80}]", item
            yield f"a key of {path}", key
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
    elif isinstance(value, set | frozenset):
        for item in value:
            yield f"an element of {path}", item
    elif isinstance(value, FunctionType):
        yield from _function_parts(value, path)
    elif isinstance(value, MethodType):
        yield f"{path}.__self__", value.__self__
    elif isinstance(value, functools.partial):
        yield f"{path}.func", value.func
        yield from _children(value.args, f"{path}.args")
        yield from _children(value.keywords, f"{path}.keywords")
    else:
        for name, item in getattr(value, "__dict__", {}).items():
            yield f"{path}.{name}", item
        for name in _slots(type(value)):
            if hasattr(value, name):
                yield f"{path}.{name}", getattr(value, name)


def _function_parts(function: FunctionType, path: str) -> Iterator[tuple[str, object]]:
    """What a function drags along: closure, globals that it names, defaults."""
    variables = inspect.getclosurevars(function)
    for name, item in {**variables.globals, **variables.nonlocals}.items():
        yield f"{name} (used by {path})", item
    for number, item in enumerate(function.__defaults__ or ()):
        yield f"default {number + 1} of {path}", item
    for name, item in (function.__kwdefaults__ or {}).items():
        yield f"default {name} of {path}", item


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from ((slots,) if isinstance(slots, str) else slots)
