"""Which modules a piece of code names: read from bytecode (a function) or from source (a module), never executed.

Not for deciding whether such a module exists or where: that is `modules`.
"""

from __future__ import annotations

import ast
import dis
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

_IMPORT_NAME = dis.opmap["IMPORT_NAME"]
_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+|[A-Za-z_]\w{2,}")
_DYNAMIC_CALLS = frozenset({"import_module", "__import__", "iter_modules", "walk_packages"})
_METADATA_MODULES = ("importlib.metadata", "importlib_metadata", "pkg_resources")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceImports:
    """What a module's source asks for.

    Attributes:
        names: Dotted names that are imported; ``from a import b`` gives ``a`` and, as it may be a module, ``a.b``.
        star_packages: Names of which everything is imported (``from a import *``).
        exports: The literal ``__all__``.
        is_dynamic: Whether it imports modules whose names only running it would tell.
        reads_metadata: Whether it asks for the version or the entry points of installed packages.
    """

    names: tuple[str, ...] = ()
    star_packages: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    is_dynamic: bool = False
    reads_metadata: bool = False


@dataclass
class _Collected:
    names: dict[str, None] = field(default_factory=dict)
    stars: dict[str, None] = field(default_factory=dict)
    exports: list[str] = field(default_factory=list)
    is_dynamic: bool = False


@functools.lru_cache(maxsize=4096)
def scan_code(code: CodeType, package: str) -> tuple[str, ...]:
    """Lists the modules that a function's body imports, those of inner functions included.

    Args:
        code: The function's code.
        package: The ``__package__`` against which relative imports are meant.
    """
    found: dict[str, None] = {}
    for each in _nested_codes(code):
        if _IMPORT_NAME in each.co_code[::2]:
            found.update(dict.fromkeys(_imports_of(each, package)))
        if not _DYNAMIC_CALLS.isdisjoint(each.co_names):
            texts = (const for const in each.co_consts if isinstance(const, str))
            found.update(dict.fromkeys(text for text in texts if _DOTTED_NAME.fullmatch(text)))
    return tuple(found)


def global_names(code: CodeType) -> frozenset[str]:
    """The names that a function's body, and the functions inside it, may look up among its globals."""
    return frozenset(name for each in _nested_codes(code) for name in each.co_names)


def _nested_codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _nested_codes(const)


def _imports_of(code: CodeType, package: str) -> Iterator[str]:
    level: Any = 0
    fromlist: Any = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield from import_candidates(instruction.argval, level, fromlist or (), package)
        elif instruction.opname.startswith("LOAD_"):
            level, fromlist = fromlist, instruction.argval


def import_candidates(name: str, level: object, fromlist: object, package: str) -> Iterator[str]:
    """Spells out the modules that one import statement may mean."""
    base = resolve_relative(name or "", level, package) if isinstance(level, int) and level else name
    if not base:
        return
    yield base
    if isinstance(fromlist, tuple):
        yield from (f"{base}.{leaf}" for leaf in fromlist if leaf != "*")


def resolve_relative(name: str, level: int, package: str) -> str | None:
    """Makes a relative module name absolute, or None when it climbs out of its package."""
    parts = package.split(".") if package else []
    if level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])


def scan_source(source: bytes, package: str) -> SourceImports:
    """Lists what a module's source imports, anywhere in it.

    Left out: ``if TYPE_CHECKING:`` and ``if __name__ == "__main__":``, which importing the module does not run.
    A source that this Python cannot parse asks for nothing.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return SourceImports()
    collected = _Collected()
    _visit(tree, package, collected)
    return SourceImports(
        names=tuple(collected.names),
        star_packages=tuple(collected.stars),
        exports=tuple(collected.exports),
        is_dynamic=collected.is_dynamic or _has_lazy_getattr(tree),
        reads_metadata=any(name.startswith(_METADATA_MODULES) for name in collected.names),
    )


def _visit(node: ast.AST, package: str, into: _Collected) -> None:
    if isinstance(node, ast.If) and _is_never_run(node.test):
        for each in node.orelse:
            _visit(each, package, into)
        return
    if isinstance(node, ast.Import):
        into.names.update(dict.fromkeys(alias.name for alias in node.names))
    elif isinstance(node, ast.ImportFrom):
        _note_import_from(node, package, into)
    elif isinstance(node, ast.Call):
        _note_call(node, package, into)
    elif isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
        into.exports += _texts_in(node.value)
    for child in ast.iter_child_nodes(node):
        _visit(child, package, into)


def _note_import_from(node: ast.ImportFrom, package: str, into: _Collected) -> None:
    leaves = tuple(alias.name for alias in node.names)
    found = list(import_candidates(node.module or "", node.level, leaves, package))
    into.names.update(dict.fromkeys(found))
    if "*" in leaves and found:
        into.stars[found[0]] = None


def _note_call(node: ast.Call, package: str, into: _Collected) -> None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    if name not in _DYNAMIC_CALLS:
        return
    first = node.args[0] if node.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and name in ("import_module", "__import__"):
        dots = len(first.value) - len(first.value.lstrip("."))
        absolute = resolve_relative(first.value.lstrip("."), dots, package) if dots else first.value
        if absolute:
            into.names[absolute] = None
    else:
        into.is_dynamic = True


def _is_never_run(test: ast.expr) -> bool:
    if isinstance(test, ast.Name):
        return test.id == "TYPE_CHECKING"
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
    )


def _has_lazy_getattr(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)


def _texts_in(node: ast.expr) -> list[str]:
    constants = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return [value for value in constants if isinstance(value, str)]
