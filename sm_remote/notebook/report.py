"""What a cell sends and gets back, as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from sm_remote.capture.names import MeasuredNames
from sm_remote.capture.sizes import render_size
from sm_remote.jobs.outcome.cell import CellEnding, ReturnedName

MOST_NAMES = 12
PREFIX = "sm_remote: "


def render_sent(names: MeasuredNames, doubts: Sequence[str] = ()) -> list[str]:
    """What goes, with sizes, and what stays behind."""
    modules = [name for name, value in names.values.items() if isinstance(value, ModuleType)]
    sizes = [(_call(name, names.values[name]), names.sizes_bytes[name]) for name in names.values if name not in modules]
    parts = [_list_sizes(sizes), _list_modules(modules)]
    lines = [f"{PREFIX}sends {'; '.join(part for part in parts if part) or 'no names'}"]
    lines += [f"{PREFIX}cannot send {name}: {reason}" for name, reason in names.refused.items()]
    lines += [f"{PREFIX}note: {doubt}" for doubt in doubts]
    return lines


def render_returned(ending: CellEnding, unloaded: Iterable[tuple[str, str]]) -> list[str]:
    """What came back, with sizes, and what did not."""
    lost = dict(unloaded)
    came = [each for each in ending.returned if each.name not in lost]
    modules = [name for name in ending.modules if name not in lost]
    parts = []
    if came or modules:
        assigned = _list_returned(came, "assigned")
        parts.append("; ".join(part for part in (assigned, _list_modules(modules)) if part))
        parts += [f"{changed} changed in place" for changed in [_list_returned(came, "changed")] if changed]
    parts += [f"deleted {', '.join(ending.deleted)}"] if ending.deleted else []
    said = "; ".join(part for part in parts if part)
    lines = [f"{PREFIX}got {said}" if came or modules else f"{PREFIX}{said}"] if said else []
    lines += [f"{PREFIX}did not get {name}: {reason}" for name, reason in [*ending.refused, *lost.items()]]
    lines += [f"{PREFIX}did not get {name}: the cell has not assigned it" for name in ending.absent]
    return lines


def render_withheld(ending: CellEnding, job_name: str) -> list[str]:
    """Why names that are too big were left where they are."""
    sizes = [(each.name, each.size_bytes) for each in ending.returned]
    what = _list_sizes(sizes) if sizes else f"the cell's names, {render_size(ending.size_bytes)} in all,"
    return [
        f"{PREFIX}{what} would come back, which is more than cell_limit_bytes; they are kept with the job.",
        f"{PREFIX}to get them: %remote attach {job_name} --yes",
    ]


def _list_returned(returned: Sequence[ReturnedName], change: str) -> str:
    return _list_sizes([(each.name, each.size_bytes) for each in returned if each.change == change])


def _list_sizes(sizes: Sequence[tuple[str, int]]) -> str:
    shown = [f"{name} ({render_size(size_bytes)})" for name, size_bytes in sizes[:MOST_NAMES]]
    rest = sizes[MOST_NAMES:]
    if rest:
        shown.append(f"{len(rest)} more ({render_size(sum(size_bytes for _, size_bytes in rest))})")
    return ", ".join(shown)


def _list_modules(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"module{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _call(name: str, value: Any) -> str:
    return f"{name}()" if callable(value) and hasattr(value, "__code__") else name
