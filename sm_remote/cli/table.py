"""Rows as text: aligned columns for people, tabs for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import click

STATUS_COLOURS = {"Completed": "green", "Failed": "red", "Stopped": "yellow", "Stopping": "yellow"}
CHECK_COLOURS = {"ok": "green", "warn": "yellow", "FAIL": "red"}


def render_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Columns as wide as their longest cell, two spaces apart, the last one ragged. Cells may hold colours."""
    every = [tuple(headers), *rows] if headers else list(rows)
    widths = [max(measure(row[column]) for row in every) for column in range(len(every[0]))] if every else []
    return "".join(indent + _join(row, widths) + "\n" for row in every)


def _join(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell + " " * (width - measure(cell)) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()


def measure(cell: str) -> int:
    """How many columns a cell takes; colours take none."""
    return len(click.unstyle(cell))


def render_tabs(rows: Sequence[Sequence[str]]) -> str:
    """One line a row, tabs between cells, no headers: for ``cut`` and ``awk``."""
    return "".join("\t".join(cell.replace("\t", " ") for cell in row) + "\n" for row in rows)


def paint(text: str, colour: str | None, *, colours: bool) -> str:
    """The text in a colour, or as it is."""
    return click.style(text, fg=colour) if colours and colour else text
