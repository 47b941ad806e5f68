"""The doctor's findings as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sm_remote.cli.checks import Check, State
from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.table import CHECK_COLOURS, paint


def render_checks(checks: Sequence[Check], *, colours: bool) -> str:
    """A line for each finding, below it the command that mends it, and the sum of all."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        state = paint(f"{check.state:<4}", CHECK_COLOURS[check.state], colours=colours)
        lines.append(f"{state}  {check.name:<{width}}  {make_inert(check.detail)}")
        if check.fix:
            lines.append(f"{'':4}  {'':{width}}  -> {make_inert(check.fix)}")
    return "\n".join([*lines, "", _summarize(checks)]) + "\n"


def _summarize(checks: Sequence[Check]) -> str:
    failures = sum(check.state is State.FAILURE for check in checks)
    warnings = sum(check.state is State.WARNING for check in checks)
    if failures:
        return f"{_count(failures, 'thing')} must be mended before jobs can run."
    if warnings:
        return f"Jobs can run; {_count(warnings, 'thing')} could be better."
    return "All is well."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def render_checks_json(checks: Sequence[Check]) -> str:
    """The findings as a JSON array."""
    return render_json(
        [
            {"name": check.name, "state": check.state.name.lower(), "detail": check.detail, "fix": check.fix or None}
            for check in checks
        ]
    )
