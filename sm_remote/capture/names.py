"""Names of a notebook, measured before they travel: how big each is, what it drags along, whether it can go at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sm_remote.capture.culprit import find_culprit, type_name
from sm_remote.capture.imports import global_names
from sm_remote.capture.pickling import Notes, pickle_noting
from sm_remote.wire.namespace import WRAPPING_BYTES, Namespace


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredNames:
    """Names that are to travel.

    Attributes:
        values: Those that can, in the order in which they were asked for, then those that these need.
        sizes_bytes: Of the pickle of each.
        refused: Names that cannot, each with the reason.
        because: For a name that was not asked for, what needs it: ``train()``.
    """

    values: dict[str, Any] = field(default_factory=dict)
    sizes_bytes: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    because: dict[str, str] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """Of all values; what two of them share is counted twice."""
        return sum(self.sizes_bytes.values())


def measure_names(wanted: Iterable[str], home: dict[str, Any], *, follow: bool = True) -> MeasuredNames:
    """Pickles names into nothing, and those that functions among their values look up.

    Args:
        wanted: Names that are there.
        home: The notebook's names.
        follow: Whether names that functions need are added.
    """
    found = MeasuredNames()
    todo = list(dict.fromkeys(wanted))
    while todo:
        name = todo.pop(0)
        if name in found.values or name in found.refused:
            continue
        sink, notes = _Counter(), Notes()
        try:
            pickle_noting(Namespace({"": home[name]}, home), sink, notes, owner=name)
        except Exception as error:  # noqa: BLE001 - whatever a reducer raises is the reason
            found.refused[name] = explain_refusal(home[name], error)
            continue
        found.values[name] = home[name]
        found.sizes_bytes[name] = max(1, sink.size_bytes - WRAPPING_BYTES)
        for needed, by in _needed_names(notes, home) if follow else ():
            if needed not in found.values and needed not in todo:
                found.because.setdefault(needed, by)
                todo.append(needed)
    return found


def explain_refusal(value: Any, error: BaseException) -> str:
    """Says which part of a value cannot be pickled, and why."""
    path, culprit, cause = find_culprit(value, error)
    where = " -> ".join([*path, type_name(culprit)])
    says_more = str(cause) and not str(cause).startswith("cannot pickle")
    return f"{where} cannot be pickled" + (f" ({cause})" if says_more else "")


def _needed_names(notes: Notes, home: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The notebook's names that functions which were met look up, each with the function."""
    for func in notes.functions:
        if func.__globals__ is home:
            for name in sorted(global_names(func.__code__)):
                if name in home:
                    yield name, f"{func.__qualname__.rpartition('<locals>.')[2]}()"


class _Counter:
    """Counts what is written to it."""

    def __init__(self) -> None:
        self.size_bytes = 0

    def write(self, data: memoryview) -> int:
        size_bytes = memoryview(data).nbytes
        self.size_bytes += size_bytes
        return size_bytes
