"""Exceptions that come back as themselves, also where pickle alone fails.

An exception whose class takes other arguments than it passes to ``super().__init__`` pickles well and cannot be
unpickled: pickle calls the class with ``exc.args``. Here its ``__init__`` is passed over instead.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any


def reduce_exception(exc: BaseException) -> Any:
    """A reduction that does not call the class's own ``__init__``, or NotImplemented where pickle does well itself."""
    kind = type(exc)
    own_init = _is_python(kind, "__init__")
    own_rules = any(
        _is_python(kind, name)
        for name in ("__new__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__")
    )
    if not own_init or own_rules:
        return NotImplemented
    reduced = exc.__reduce__()
    return rebuild_exception, (kind, reduced[1]), *reduced[2:]


def rebuild_exception(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception of ``kind`` with ``args``; only the builtin part of it is initialised."""
    exc = kind.__new__(kind, *args)
    # The first base that is written in C sets the fields of its own (errno, code, start ...).
    builtin = next(base for base in kind.__mro__ if not _is_python(base, "__init__"))
    builtin.__init__(exc, *args)  # type: ignore[misc]  # that of a base class, on purpose
    return exc


def _is_python(kind: type, method: str) -> bool:
    return isinstance(getattr(kind, method, None), FunctionType)
