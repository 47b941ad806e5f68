"""docs/local-service.md: every line has its evidence, and names tests that there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
DOCUMENT = (TESTS.parent / "docs" / "local-service.md").read_text()
OPERATIONS = TESTS.parent / "sm_remote" / "service" / "operations" / "table.py"
EVIDENCE = ("model", "guide", "code", "seen", "ours")


def list_tables() -> list[list[str]]:
    return [
        [line for line in table.splitlines() if line.startswith("|")][2:]
        for table in DOCUMENT.split("\n## ")[1:]
        if "| Operation or rule |" in table
    ]


@cache
def list_tests(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_every_line_has_three_cells_with_evidence_and_a_test():
    for line in (line for table in list_tables() for line in table):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        assert len(cells) == 3, line
        assert any(word in EVIDENCE for word in re.findall(r"[a-z]+", cells[1])), line
        assert re.search(r"`[\w/]+\.py::test_\w+`", cells[2]), line


def test_every_operation_of_aws_that_is_served_is_in_a_table():
    tables = "\n".join(line for table in list_tables() for line in table)
    targets = re.findall(r'"(?:SageMaker|Logs_\d+|GraniteServiceVersion\d+)\.(\w+)":', OPERATIONS.read_text())
    assert len(set(targets)) > 10
    # What CreateTrainingJob does has tables of its own.
    assert [name for name in set(targets) if not re.search(rf"\b{name}\b", tables)] == ["CreateTrainingJob"]


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py::\w+)`", DOCUMENT))))
def test_every_test_that_is_named_exists(named):
    path, _, name = named.partition("::")
    assert name.startswith("test_")
    assert name in list_tests(path)
