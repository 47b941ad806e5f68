"""Which imports a function's body is sure to make as it is called: those before anything else can happen.

An import below an ``if``, in a loop, a ``try`` or a ``with`` may never run, or may fail and be meant to. After a call
or an assignment to an attribute the module may have come from anywhere (``sys.path.append(...)``, ``pip install``).
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from sm_remote.capture.imports import import_candidates
from sm_remote.runtime.cell import Cell

_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_EFFECTS = ("CALL", "PRECALL", "STORE_ATTR", "STORE_SUBSCR", "STORE_SLICE", "RETURN_VALUE", "RETURN_CONST", "RAISE")
_HANDLERS_OF_PYTHON = frozenset({"CALL_INTRINSIC_1"})
"""What a handler begins with that Python itself puts around the whole body of a generator or a coroutine (3.12)."""


def list_certain_imports(func: object) -> tuple[str, ...]:
    """The modules that a call of this function imports before anything else can happen.

    Args:
        func: A function, a method or a partial of one; of all else nothing is known.
    """
    while isinstance(func, (partial, MethodType)):
        func = func.func if isinstance(func, partial) else func.__func__
    if isinstance(func, Cell):
        return tuple(dict.fromkeys(_scan(func.compile(), "")))
    if not isinstance(func, FunctionType):
        return ()
    package = func.__globals__.get("__package__") or ""
    return tuple(dict.fromkeys(_scan(func.__code__, package if isinstance(package, str) else "")))


def _scan(code: CodeType, package: str) -> Iterator[str]:
    bytecode = dis.Bytecode(code)
    instructions = list(bytecode)
    guarded = _find_guarded(bytecode, instructions)
    level: Any = 0
    fromlist: Any = None
    for each in instructions:
        if each.opcode in _JUMPS or each.opname.startswith(_EFFECTS):
            return
        if each.opname == "IMPORT_NAME" and not any(each.offset in offsets for offsets in guarded):
            yield from import_candidates(each.argval, level, fromlist or (), package)
        elif each.opname.startswith("LOAD_"):
            level, fromlist = fromlist, each.argval


def _find_guarded(bytecode: dis.Bytecode, instructions: list[dis.Instruction]) -> list[range]:
    """Where an exception would be caught, by offset. Before Python 3.11 an instruction says it, which is a jump."""
    begins = {each.offset: each.opname for each in instructions}
    entries = getattr(bytecode, "exception_entries", ())
    return [range(entry.start, entry.end) for entry in entries if begins.get(entry.target) not in _HANDLERS_OF_PYTHON]
