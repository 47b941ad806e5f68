"""Only what is imported before anything else can happen is certain to be imported."""

from __future__ import annotations

from functools import partial

import pytest

from sm_remote.capture.certain_imports import list_certain_imports
from tests.cells import run_cell


def certain(body: str, *, head: str = "def f(flag=0):") -> tuple[str, ...]:
    return list_certain_imports(run_cell(f"import contextlib\n{head}\n    {body}")["f"])


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("import a", ("a",)),
        ("x = 1; y = x + 1; import a.b, c", ("a.b", "c")),
        ("import sys; sys.path.append('/somewhere'); import a", ("sys",)),
        ("import sys; sys.path += ['/somewhere']; import a", ("sys",)),
        ("import sys; sys.path[:0] = ['/somewhere']; import a", ("sys",)),
        ("import os, subprocess; subprocess.run(['pip', 'install', 'a']); import a", ("os", "subprocess")),
        ("from a import b, c", ("a", "a.b", "a.c")),
        ("from a.b import c as d", ("a.b", "a.b.c")),
        ("import a\n    if flag:\n        import b\n    import c", ("a",)),
        ("import a\n    return 1\n    import b", ("a",)),
        ("import a\n    raise ValueError\n    import b", ("a",)),
        ("import a\n    for _ in range(3):\n        import b", ("a",)),
        ("import a\n    while flag:\n        import b", ("a",)),
        ("import a\n    try:\n        import b\n    except ImportError:\n        import c", ("a",)),
        ("try:\n        import b\n    finally:\n        pass", ()),
        ("with contextlib.suppress(ImportError):\n        import b", ()),
        ("flag and __import__('b')\n    import c", ()),
        ("def inner():\n        import b\n    return inner", ()),
        ("return [__import__('b') for _ in range(flag)]", ()),
    ],
)
def test_what_is_certain(body, names):
    assert certain(body) == names


@pytest.mark.parametrize("head", ["async def f(flag=0):", "async def f(*, flag=0):"])
def test_the_start_of_a_coroutine_counts(head):
    assert certain("import a\n    import b", head=head) == ("a", "b")


def test_a_partial_and_a_method_are_what_they_call():
    cell = run_cell("def f(x):\n    import a\nclass C:\n    def m(self):\n        import b\n")
    assert list_certain_imports(partial(partial(cell["f"]), 1)) == ("a",)
    assert list_certain_imports(cell["C"]().m) == ("b",)


def test_a_relative_import_is_meant_against_the_package():
    cell = run_cell("def f():\n    from . import part", {"__name__": "pkg.mod", "__package__": "pkg"})
    assert list_certain_imports(cell["f"]) == ("pkg", "pkg.part")


@pytest.mark.parametrize("func", [pow, print, int, object()])
def test_of_what_has_no_bytecode_nothing_is_known(func):
    assert list_certain_imports(func) == ()
