"""Which names a cell reads before it has surely assigned them, and which it may assign: read off its syntax tree.

What a cell does with a name matters in its order: ``df = load(); df.head()`` needs no ``df`` of the notebook, ``df =
df.dropna()`` does. So the walk keeps the set of names that are assigned whatever happened before. Of two branches both
count only where they agree; a loop or a ``try`` may not run. A function's body runs when the function is used, so what
it reads is looked at where its name is first read, not where it is defined.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sm_remote.notebook.scopes import compile_scope, scan_globals

BUILTINS = frozenset(dir(builtins)) | {"__file__", "__name__", "__builtins__", "display", "get_ipython"}
_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CellNames:
    """What a cell's code does with global names.

    Attributes:
        reads: Names that it may look up before it has assigned them, in the order of the cell, with the line.
        deferred: Names that only functions look up that the cell itself does not use.
        optional: Names that it looks up where they are there, as in ``!echo $name``.
        assigns: Names that it may assign, in the order of the cell.
        may_define_any: Whether it may define names that its code does not show (``from x import *``, ``exec``).
        dynamic: The calls by which it may read names that its code does not show: ``exec``, ``globals``.
    """

    reads: dict[str, int] = field(default_factory=dict)
    deferred: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    assigns: tuple[str, ...] = ()
    may_define_any: bool = False
    dynamic: tuple[str, ...] = ()


def analyse(tree: ast.Module, optional: Iterable[str] = ()) -> CellNames:
    """Finds what a cell does with global names.

    Args:
        tree: The cell, parsed.
        optional: Names that are read by what is no Python, as in ``!echo {name}``.
    """
    walk = _Walk(lazy_annotations=_has_lazy_annotations(tree))
    walk.run(tree.body)
    deferred = [name for body in walk.unused_bodies() for name in body if name not in walk.reads]
    return CellNames(
        reads=walk.reads,
        deferred=tuple(dict.fromkeys(deferred)),
        optional=tuple(dict.fromkeys(name for name in optional if name not in walk.reads)),
        assigns=tuple(walk.assigns),
        may_define_any=walk.may_define_any,
        dynamic=tuple(walk.dynamic),
    )


def _has_lazy_annotations(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )


@dataclass
class _Body:
    """What a function's body does with global names, to be reckoned with when the function is used."""

    reads: dict[str, int]
    assigns: tuple[str, ...]


class _Walk(ast.NodeVisitor):
    """Goes through statements in their order."""

    def __init__(self, *, lazy_annotations: bool) -> None:
        self.reads: dict[str, int] = {}
        self.assigns: dict[str, None] = {}
        self.dynamic: dict[str, None] = {}
        self.may_define_any = False
        self._certain: set[str] = set()
        self._bodies: dict[str, _Body] = {}
        self._used: set[int] = set()
        self._lazy_annotations = lazy_annotations

    def run(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            self.visit(node)

    def read(self, name: str, line: int) -> None:
        """A name is looked up; where it is a function of the cell's, so is what that reads."""
        if name not in self._certain and name not in BUILTINS:
            self.reads.setdefault(name, line)
        if name in _DYNAMIC and name not in self._certain:
            self.dynamic[name] = None
            self.may_define_any |= name in ("exec", "globals", "vars", "locals")
        body = self._bodies.get(name)
        if body is not None and id(body) not in self._used:
            self._use(body)

    def unused_bodies(self) -> Iterator[dict[str, int]]:
        """What functions read that nothing in the cell uses."""
        for body in self._bodies.values():
            if id(body) not in self._used:
                yield {name: line for name, line in body.reads.items() if name not in BUILTINS | self._certain}

    def _use(self, body: _Body) -> None:
        self._used.add(id(body))
        for name in body.assigns:
            self.assigns.setdefault(name)
        for name, line in body.reads.items():
            self.read(name, line)

    def _store(self, name: str) -> None:
        self.assigns.setdefault(name)
        self._certain.add(name)
        self._bodies.pop(name, None)

    # -- expressions ------------------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id, node.lineno)
        elif isinstance(node.ctx, ast.Store):
            self._store(node.id)
        else:
            self.read(node.id, node.lineno)
            self._certain.discard(node.id)
            self.assigns.setdefault(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        first, *others = node.values
        self.visit(first)
        with_first = set(self._certain)
        for each in others:
            self.visit(each)
        self._certain = with_first

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._branch([[node.body], [node.orelse]])

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_defaults(node.args)
        self._use(self._read_scope(node))

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # type: ignore[assignment] # noqa: N815

    def _visit_comprehension(self, node: ast.expr) -> None:
        # The first iterable is evaluated outside of it, and a walrus inside assigns outside.
        self._use(self._read_scope(node))

    # -- statements -------------------------------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.read(node.target.id, node.lineno)
        self.visit(node.value)
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if not self._lazy_annotations:
            self.visit(node.annotation)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        before = set(self._certain)
        self.visit(node.target)
        self.run(node.body)
        self._certain = before
        self.run(node.orelse)

    visit_AsyncFor = visit_For  # type: ignore[assignment] # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        before = set(self._certain)
        self.run(node.body)
        # `while True` is left by a break alone, so what stands before the first one has happened.
        if not (isinstance(node.test, ast.Constant) and node.test.value):
            self._certain = before
            self.run(node.orelse)
        else:
            self._certain = before | _assigned_before_break(node.body)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branch([node.body, node.orelse])

    def visit_Try(self, node: Any) -> None:
        before = set(self._certain)
        self.run([*node.body, *node.orelse])
        ends = [self._certain]
        for handler in node.handlers:
            self._certain = set(before)
            self._visit_handler(handler)
            if not _never_goes_on(handler.body):
                ends.append(self._certain)
        self._certain = set.intersection(*ends)
        self.run(node.finalbody)

    visit_TryStar = visit_Try  # noqa: N815

    def _visit_handler(self, handler: ast.ExceptHandler) -> None:
        if handler.type is not None:
            self.visit(handler.type)
        if handler.name is not None:
            self._store(handler.name)
        self.run(handler.body)
        if handler.name is not None:
            self._certain.discard(handler.name)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = set(self._certain)
        ends = []
        is_whole = False
        for case in node.cases:
            self._certain = set(before)
            self.visit(case.pattern)
            if case.guard is not None:
                self.visit(case.guard)
            self.run(case.body)
            ends.append(self._certain)
            is_whole |= case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
        self._certain = set.intersection(*ends) if is_whole else before

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name is not None:
            self._store(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name is not None:
            self._store(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest is not None:
            self._store(node.rest)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._store(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.may_define_any = True
            elif node.module != "__future__":
                self._store(alias.asname or alias.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._visit_defaults(node.args)
        self._visit_signature(node)
        body = self._read_scope(node)
        if node.decorator_list:
            self._use(body)  # a decorator may call it at once
        self._store(node.name)
        self._bodies[node.name] = body

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment] # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for each in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self.visit(each)
        # The body runs at once, in a scope whose names are not seen from here; its methods when the class is used.
        inner = _Walk(lazy_annotations=self._lazy_annotations)
        inner._certain = set(self._certain)
        inner._bodies = dict(self._bodies)
        inner.run(node.body)
        for name, line in inner.reads.items():
            self.read(name, line)
        self.dynamic.update(inner.dynamic)
        methods: dict[str, int] = {}
        for body in inner._bodies.values():
            methods.update(body.reads)
        for name in _declared_global(node):
            self._store(name)
        self._store(node.name)
        found = _Body(methods, ())
        self._bodies[node.name] = found
        if node.decorator_list or node.bases or node.keywords:
            self._use(found)  # a decorator, a metaclass or __init_subclass__ may call its methods at once

    def visit_TypeAlias(self, node: ast.AST) -> None:
        self._store(node.name.id)  # type: ignore[attr-defined] # its value is evaluated when it is asked for

    def visit_Global(self, node: ast.Global) -> None:
        return

    # -- scopes -----------------------------------------------------------------------------------------------------

    def _visit_defaults(self, arguments: ast.arguments) -> None:
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.visit(default)

    def _visit_signature(self, node: ast.FunctionDef) -> None:
        if self._lazy_annotations or getattr(node, "type_params", None):
            return
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        hints = [each.annotation for each in every if each is not None]
        for hint in [*hints, node.returns]:
            if hint is not None:
                self.visit(hint)

    def _read_scope(self, node: ast.expr | ast.FunctionDef) -> _Body:
        """What a function, lambda or comprehension does with the globals around it."""
        reads, assigns = scan_globals(compile_scope(node))
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            walrus = (each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
            assigns.update(dict.fromkeys(walrus))
            reads = {name: line for name, line in reads.items() if name not in assigns or name in self._outside(node)}
        return _Body(reads, tuple(assigns))

    def _outside(self, node: ast.AST) -> set[str]:
        """Names that a comprehension reads in its first iterable, before anything in it is assigned."""
        first = node.generators[0].iter  # type: ignore[attr-defined]
        return {each.id for each in ast.walk(first) if isinstance(each, ast.Name)}

    def _branch(self, bodies: list[list[ast.stmt] | list[ast.expr]]) -> None:
        before = set(self._certain)
        ends = []
        for body in bodies:
            self._certain = set(before)
            for node in body:
                self.visit(node)
            if not _never_goes_on(body):
                ends.append(self._certain)
        self._certain = set.intersection(*ends) if ends else before


def _declared_global(node: ast.ClassDef) -> list[str]:
    return [name for each in node.body if isinstance(each, ast.Global) for name in each.names]


def _never_goes_on(body: list[ast.stmt] | list[ast.expr]) -> bool:
    """Whether a branch leaves by force, so that what follows is not reached from it."""
    return bool(body) and isinstance(body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break)


def _assigned_before_break(body: list[ast.stmt]) -> set[str]:
    """Plain assignments of an endless loop's body that stand before anything that may leave it."""
    found: set[str] = set()
    for node in body:
        if any(isinstance(each, ast.Break | ast.Continue | ast.Return) for each in ast.walk(node)):
            break
        if isinstance(node, ast.Assign):
            found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return found
