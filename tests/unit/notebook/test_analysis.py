"""Which names a cell needs, and which it may define: nasty cells."""

from __future__ import annotations

import ast
import sys

import pytest

from sm_remote.notebook.analysis import CellNames, analyse


def read(source: str) -> CellNames:
    return analyse(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("df = load()\ndf.head()", "load"),
        ("df = df.dropna()", "df"),
        ("x += 1", "x"),
        ("x = y = z", "z"),
        ("a, *b = c", "c"),
        ("x[i] = y", "x i y"),
        ("o.a += z", "o z"),
        ("del x", "x"),
        ("x = 1\ndel x\nx", "x"),
        ("import os.path, sys as s\nos, s", ""),
        ("from a import b as c\nc", ""),
        ("f'{value!r:>{width}} {nested[key]}'", "value width nested key"),
        ("print(f'{x=}')", "x"),
        # comprehensions
        ("[i * k for i in rows if i > low]", "k rows low"),
        ("{a: b for a, b in pairs}", "pairs"),
        ("[[c for c in r] for r in grid]", "grid"),
        ("[x for x in x]", "x"),
        ("sum(v for v in values)", "values"),
        ("[last := i for i in z]\nlast", "z last"),
        ("[y for y in s if (t := y) > t0]", "s t0"),
        # walrus
        ("if (n := len(data)) > 1: n", "data"),
        ("while (line := source()): line", "source"),
        # branches
        ("if a:\n  b = 1\nelse:\n  b = 2\nb", "a"),
        ("if a:\n  b = 1\nb", "a b"),
        ("if a:\n  raise V\nelse:\n  b = 1\nb", "a V"),
        ("b = 1 if a else c\nb", "a c"),
        ("a and (b := 1)\nb", "a b"),
        # loops
        ("for i in range(3):\n  s = i\ns", "s"),
        ("for i in xs:\n  pass\nelse:\n  e = 1\ne", "xs"),
        ("while True:\n  v = read()\n  if v: break\nv", "read"),
        ("for x in x:\n  x", "x"),
        # try
        ("try:\n  u\nexcept NameError:\n  u = 1\nu", "u"),
        ("try:\n  m = f()\nexcept E as e:\n  raise\nm", "f E"),
        ("try:\n  m = f()\nexcept E as e:\n  pass\nm", "f E m"),
        ("try:\n  m = 1\nexcept E as e:\n  m = e\nfinally:\n  g\nm", "E g"),
        ("with open(p) as f:\n  t = f.read()\nt", "p"),
        # functions: what they read counts when they are used
        ("def f():\n  return g_", ""),
        ("def f():\n  return g_\nf()", "g_"),
        ("def f():\n  return g_\ng_ = 1\nf()", ""),
        ("def f():\n  return h()\ndef h():\n  return deep\nf()", "deep"),
        ("def f():\n  return f()\nf()", ""),
        ("def f():\n  def g():\n    return deep\n  return g\nf()()", "deep"),
        ("def f(x, y=default, *, z: Hint = other) -> R:\n  x, y, z", "default other Hint R"),
        ("from __future__ import annotations\ndef f(x: Hint) -> R:\n  pass", ""),
        ("@decorate(k)\ndef f():\n  return inner", "decorate k inner"),
        ("f = lambda a, b=c: a + b + d", "c d"),
        ("list(map(lambda r: r + bias, rows))", "bias rows"),
        ("def f():\n  global n\n  n = n + 1\nf()", "n"),
        ("def f():\n  x = 1\n  def g():\n    nonlocal x\n    x = q\n  g()\nf()", "q"),
        ("def f():\n  import json\n  json.dumps(v)\nf()", "v"),
        ("async def f():\n  await b\nawait f()", "b"),
        ("async with s() as t:\n  async for u in t:\n    u", "s"),
        ("[x async for x in gen()]", "gen"),
        ("def gen():\n  yield from src\nlist(gen())", "src"),
        # classes
        ("class A(B, metaclass=M):\n  z = q\n  def m(self): return w", "B M q w"),
        ("class A:\n  def m(self): return w", ""),
        ("class A:\n  def m(self): return w\nA().m()", "w"),
        ("class A:\n  x = 1\n  y = x", ""),
        ("class A:\n  x = x", "x"),
        ("class P:\n  n: int = 3\n  def f(self) -> 'Unknown': return P\nP()", ""),
        ("class A:\n  v = [k for k in src]\nA", "src"),
        # annotations
        ("x: List[int] = []", "List"),
        ("x: List[int]", "List"),
        ("x: 'Later' = 1", ""),
        # match
        ("match cmd:\n  case [a, *rest]: a\n  case {'k': v, **kw}: kw\n  case C(x=q): q", "cmd C"),
        ("match m:\n  case 1: r = 1\n  case _: r = 2\nr", "m"),
        ("match m:\n  case Col.RED: r = 1\nr", "m Col r"),
        ("print(len(x), __name__, display)", "x"),
    ],
)
def test_what_is_read_before_it_is_surely_assigned(source: str, reads: str) -> None:
    assert set(read(source).reads) == set(reads.split())


@pytest.mark.parametrize(
    ("source", "assigns"),
    [
        ("a = b", "a"),
        ("(a, [b, *c]) = d", "a b c"),
        ("for i, j in x: k = i", "i j k"),
        ("with f() as (a, b): pass", "a b"),
        ("import numpy as np, os.path", "np os"),
        ("def f():\n  x = 1\nclass C: y = 1", "f C"),
        ("def f():\n  global g\n  g = 1\nf()", "f g"),
        ("def f():\n  global g\n  g = 1", "f"),
        ("[y := 1]", "y"),
        ("[t := i for i in z]", "t"),
        ("try:\n  pass\nexcept E as e:\n  pass", "e"),
        ("x: int", ""),
        ("x: int = 1", "x"),
        ("match m:\n  case {'a': b, **c}: pass\n  case [d, *e] as f: pass", "b c d e f"),
        ("if a:\n  b = 1", "b"),
        ("del x", "x"),
        ("x.y = 1\nz[0] = 1", ""),
    ],
)
def test_what_may_be_assigned(source: str, assigns: str) -> None:
    assert set(read(source).assigns) == set(assigns.split())


def test_the_line_of_a_read_is_told() -> None:
    assert read("\n\na = 1\nb = [\n  i for i in a\n  if i > low]").reads == {"low": 6}


def test_what_only_unused_functions_look_up_is_kept_apart() -> None:
    found = read("def f():\n  return later + len([])\nx = 1")
    assert found.reads == {}
    assert found.deferred == ("later",)


@pytest.mark.parametrize("source", ["from m import *\nfoo", "exec(code)\nfoo", "globals()['a'] = 1\nfoo"])
def test_a_cell_may_define_what_it_does_not_show(source: str) -> None:
    assert read(source).may_define_any


def test_reading_by_name_is_told() -> None:
    assert read("eval('a + b')").dynamic == ("eval",)
    assert read("def exec(x): pass\nexec(1)").dynamic == ()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax of Python 3.12")
def test_type_parameters_and_aliases_are_names_of_their_own() -> None:
    found = read("type Pair[T] = tuple[T, T]\ndef first[T](p: Pair[T]) -> T: return p[0]\nfirst((1, 2))")
    assert found.reads == {}
    assert found.assigns == ("Pair", "first")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the syntax of Python 3.11")
def test_exception_groups_are_read_like_exceptions() -> None:
    assert set(read("try:\n  f()\nexcept* E as e:\n  h(e)").reads) == {"f", "E", "h"}
