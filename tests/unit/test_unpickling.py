"""Bytes become objects in three modules alone, each of which demands that they were verified."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sm_remote

PACKAGE = Path(sm_remote.__file__).parent
ALLOWED = {
    "wire/payload.py": "a payload whose file the caller has verified",
    "wire/outcome.py": "an outcome whose file the caller has verified",
    "jobs/outcome/cell.py": "the names of a cell's outcome, after `open_outcome` has verified it",
}
UNPICKLES = {
    "marshal": {"load", "loads"},
    "shelve": {"open", "Shelf", "DbfilenameShelf"},
    "joblib": {"load"},
    "torch": {"load"},
    "pandas": {"read_pickle"},
    "numpy": {"load"},
    **{name: {"load", "loads", "Unpickler", "_Unpickler"} for name in ("pickle", "_pickle", "cloudpickle", "dill")},
}


def find_unpickling(source: str) -> Iterator[str]:
    """What of a module's text can make objects of bytes, under whatever name it is imported."""
    tree = ast.parse(source)
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                modules[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module in UNPICKLES:
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name in UNPICKLES[node.module])
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id, "")
            if node.attr in UNPICKLES.get(module, ()):
                yield f"{module}.{node.attr}"


def test_only_the_modules_that_verify_unpickle() -> None:
    found = {
        str(path.relative_to(PACKAGE)): sorted(set(find_unpickling(path.read_text(encoding="utf-8"))))
        for path in PACKAGE.rglob("*.py")
    }
    assert {path for path, names in found.items() if names} == set(ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(b'')",
        "import cloudpickle as cp\nx = cp.loads",
        "from pickle import loads as read",
        "def f():\n    import pickle\n    class U(pickle.Unpickler): pass",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import torch\ntorch.load('x')",
    ],
)
def test_each_way_of_unpickling_is_seen(source: str) -> None:
    assert list(find_unpickling(source))


def test_pickling_and_json_are_no_unpickling() -> None:
    assert not list(find_unpickling("import json, pickle\npickle.dumps(json.loads('1'))\nfrom pickle import dumps"))
