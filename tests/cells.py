"""Runs source as a notebook cell does: in ``__main__``, with its lines known to tracebacks."""

from __future__ import annotations

import itertools
import linecache
from textwrap import dedent
from typing import Any

_numbers = itertools.count(1)


def run_cell(source: str, namespace: dict[str, Any] | None = None) -> dict[str, Any]:
    """Executes source and returns its namespace; functions and classes in it belong to ``__main__``."""
    text = dedent(source)
    filename = f"<cell {next(_numbers)}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    names = {"__name__": "__main__"} if namespace is None else namespace
    exec(compile(text, filename, "exec"), names)
    return names
