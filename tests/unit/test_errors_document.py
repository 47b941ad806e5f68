"""docs/errors.md describes every error, in the tree of errors.py, and none besides."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

from sm_remote import errors

DOCUMENT = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()


def list_errors() -> set[str]:
    return {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.RemoteError)}


def test_each_error_has_its_section_and_each_section_its_error():
    headings = re.findall(r"^## (\w+)$", DOCUMENT, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(headings) == list_errors()


def test_the_tree_is_the_one_in_the_code():
    drawn = DOCUMENT.split("```\n")[1].rstrip()
    docstring = inspect.getdoc(errors) or ""
    tree = docstring[docstring.index("    RemoteError") : docstring.index("\nThe user's own")]
    assert drawn == textwrap.dedent(tree).rstrip()


def test_the_tree_says_what_the_classes_inherit():
    drawn = re.findall(r"^(.*?)(\w+)(?: \((\w+)\))?(?:  .*)?$", DOCUMENT.split("```\n")[1], re.MULTILINE)
    assert {name for _, name, _ in drawn} == list_errors()
    above: list[str] = []
    for branches, name, builtin in drawn:
        depth = len(branches) // 4
        kind = getattr(errors, name)
        bases = {base.__name__ for base in kind.__bases__}
        expected = {above[depth - 1]} if depth else {"Exception"}
        assert bases == expected | ({builtin} if builtin else set()), name
        above[depth:] = [name]
