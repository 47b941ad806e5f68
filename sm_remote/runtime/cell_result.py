"""What comes back of a cell: the names that it assigned or changed, together, and what is said of those that cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from sm_remote.checkpoints.checkpoint import Checkpoint
from sm_remote.runtime.cell import CellEnd
from sm_remote.runtime.changes import Change, find_changes, fingerprint, measure
from sm_remote.wire.namespace import VALUE_NAME, Namespace

MOST_VALUE_BYTES = 1_000_000
"""A value that was only displayed comes back up to this size: more has to be asked for, by a name."""


@dataclass(kw_only=True, slots=True)
class CellResult:
    """What a cell gives back.

    Attributes:
        names: The values, to be pickled together: what they share stays shared.
        told: Of each name its type, its size and what happened to it, in the order of the cell.
        modules: The modules among them, by name: they are imported where the notebook is.
        refused: Names that cannot be pickled, each with the reason.
        deleted: Names that were sent and are gone.
        absent: Names that were wanted and are not there.
        value_name: The name that stands for the value of the last expression; None where it stays behind.
    """

    names: Namespace
    told: list[tuple[str, str, int, str]] = field(default_factory=list)
    modules: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    value_name: str | None = None

    def describe(self) -> dict[str, Any]:
        """What the outcome's header says of it."""
        return {
            "names": self.told,
            "modules": self.modules,
            "refused": self.refused,
            "deleted": self.deleted,
            "absent": self.absent,
            "value": self.value_name,
        }


def collect_result(end: CellEnd) -> CellResult:
    """Gathers what a cell gives back."""
    result = CellResult(names=Namespace({}, end.home))
    for change in _choose(end):
        if change.kind == "deleted":
            result.deleted.append(change.name)
        elif change.kind == "absent":
            result.absent.append(change.name)
        elif change.kind == "unclear":
            result.refused.append((change.name, "it was sent, but cannot be pickled again to see whether it changed"))
        else:
            _take(result, change, end.home)
    if end.value is not None:
        result.value_name = _take_value(result, end)
    return result


def _take_value(result: CellResult, end: CellEnd) -> str | None:
    """The last expression's value: by a name that the notebook has or gets for it, or where it is small by its own."""
    for name, value in end.home.items():
        is_there = name in result.names.names or (name in end.sent.names and end.sent.names[name] is value)
        if value is end.value and is_there:
            return name
    if VALUE_NAME in result.names.names or fingerprint(end.value, end.home, MOST_VALUE_BYTES) is None:
        return None
    result.names.names[VALUE_NAME] = end.value
    return VALUE_NAME


def _choose(end: CellEnd) -> Iterable[Change]:
    changes = {change.name: change for change in find_changes(end.sent, end.home)}
    wanted = end.cell.wanted
    if wanted is None:
        # A checkpoint that the cell opened is its job's: it cannot come back, and nobody misses it.
        return [change for change in changes.values() if not isinstance(end.home.get(change.name), Checkpoint)]
    # An unchanged name that was asked for comes back as well: it was asked for.
    absent = (Change(name, "assigned" if name in end.home else "absent") for name in wanted)
    return [changes.get(change.name, change) for change in absent]


def _take(result: CellResult, change: Change, home: dict[str, Any]) -> None:
    name, value = change.name, home[change.name]
    if isinstance(value, ModuleType) and value.__name__ != "__main__":
        result.modules[name] = value.__name__
        return
    try:
        size_bytes = measure(value, home).size_bytes
    except Exception as error:  # noqa: BLE001 - the value's own __reduce__ may raise anything
        result.refused.append((name, explain_refusal(name, value, error)))
        return
    result.names.names[name] = value
    result.told.append((name, _name_type(value), size_bytes, change.kind))


def explain_refusal(name: str, value: Any, error: Exception) -> str:
    """Says which part of a value cannot be pickled."""
    from sm_remote.wire.unpicklable import find_unpicklable

    culprit = find_unpicklable(value, name)
    if culprit is None or culprit.path == name:
        return f"{type(error).__name__}: {error}"
    return f"{culprit.path} is a {culprit.type_name}: {culprit.reason}"


def _name_type(value: Any) -> str:
    kind = type(value)
    is_plain = kind.__module__ in ("builtins", "__main__")
    return kind.__qualname__ if is_plain else f"{kind.__module__}.{kind.__qualname__}"
