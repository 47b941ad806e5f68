"""The globals of one function, lambda or comprehension: compiled by itself, and read off its bytecode.

The compiler knows Python's rules of scope, so they are not written here a second time.
"""

from __future__ import annotations

import ast
import dis
from types import CodeType
from typing import Any

_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})


def compile_scope(node: ast.expr | ast.FunctionDef | ast.AsyncFunctionDef) -> CodeType:
    """A function, lambda or comprehension as code, without what is evaluated outside of it: defaults, decorators."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        fields: dict[str, Any] = {name: getattr(node, name, None) for name in node._fields}
        fields.update(decorator_list=[], returns=None, args=_without_values(node.args))
        statement: ast.stmt = type(node)(**fields)
    elif isinstance(node, ast.Lambda):
        statement = ast.Expr(ast.Lambda(args=_without_values(node.args), body=node.body))
    else:
        statement = ast.Expr(node)
    # In a coroutine: there an asynchronous comprehension has a place too.
    around = ast.parse("async def _(): pass").body[0]
    assert isinstance(around, ast.AsyncFunctionDef)  # noqa: S101 - it was written so above
    around.body = [ast.copy_location(statement, node)]
    module = ast.fix_missing_locations(ast.Module([around], type_ignores=[]))
    return compile(module, "<cell>", "exec", dont_inherit=True)


def scan_globals(code: CodeType) -> tuple[dict[str, int], dict[str, None]]:
    """The globals that code and what is defined in it look up, each with its first line, and those that it assigns."""
    reads: dict[str, int] = {}
    assigns: dict[str, None] = {}
    lines = dict(dis.findlinestarts(code))
    line = code.co_firstlineno
    for each in dis.get_instructions(code):
        line = lines.get(each.offset) or line
        if each.opname in _LOADS:
            reads.setdefault(each.argval, line)
        elif each.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            assigns[each.argval] = None
    for const in code.co_consts:
        if isinstance(const, CodeType):
            inner_reads, inner_assigns = scan_globals(const)
            reads = {**inner_reads, **reads}
            assigns.update(inner_assigns)
    return reads, assigns


def _without_values(arguments: ast.arguments) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[ast.arg(each.arg) for each in arguments.posonlyargs],
        args=[ast.arg(each.arg) for each in arguments.args],
        vararg=None if arguments.vararg is None else ast.arg(arguments.vararg.arg),
        kwonlyargs=[ast.arg(each.arg) for each in arguments.kwonlyargs],
        kw_defaults=[None for _ in arguments.kwonlyargs],
        kwarg=None if arguments.kwarg is None else ast.arg(arguments.kwarg.arg),
        defaults=[],
    )
