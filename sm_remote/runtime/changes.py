"""Which names a cell has assigned, changed in place or deleted: seen at its values, not at its code.

A value that was sent is pickled before and after, and the digests are compared. What can never change is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

from sm_remote.wire.digest import Hasher
from sm_remote.wire.namespace import WRAPPING_BYTES, Namespace
from sm_remote.wire.payload import pickle_value

_UNCHANGING = (int, float, complex, bool, str, bytes, type(None), range, type(Ellipsis), ModuleType)
HIDDEN = frozenset(("In", "Out", "exit", "quit", "get_ipython", "open", "display", "_exit_code", "_", "__", "___"))


class Fingerprint(NamedTuple):
    """How a value was pickled."""

    digest: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What a cell was given.

    Attributes:
        names: The values.
        fingerprints: Of those that may be changed in place; None where a value cannot be pickled again.
    """

    names: Mapping[str, Any]
    fingerprints: Mapping[str, Fingerprint | None]


def take_fingerprints(names: Mapping[str, Any], home: dict[str, Any], wanted: tuple[str, ...] | None) -> Sent:
    """Remembers what a cell is given; with names that are wanted, no other is looked at."""
    looked_at = {name: value for name, value in names.items() if wanted is None or name in wanted}
    found = {name: fingerprint(value, home) for name, value in looked_at.items() if type(value) not in _UNCHANGING}
    return Sent(names=dict(names), fingerprints=found)


def fingerprint(value: Any, home: dict[str, Any], most_bytes: float = math.inf) -> Fingerprint | None:
    """Digest and size of a pickled value, which is not held in memory; None where it is larger or no pickle."""
    try:
        return measure(value, home, most_bytes)
    except Exception:  # noqa: BLE001 - the value's own __reduce__ may raise anything
        return None


def measure(value: Any, home: dict[str, Any], most_bytes: float = math.inf) -> Fingerprint:
    """Pickles a value into nothing but its digest and size.

    Raises:
        ValueError: It is larger; it was not pickled to its end.
        Exception: Whatever pickling it raises.
    """
    sink = _Sink(most_bytes)
    pickle_value(Namespace({"": value}, home), sink)
    return Fingerprint(sink.hasher.digest(), max(1, sink.hasher.size_bytes - WRAPPING_BYTES))


class _Sink:
    def __init__(self, most_bytes: float) -> None:
        self.hasher = Hasher()
        self._most_bytes = most_bytes + WRAPPING_BYTES

    def write(self, data: memoryview) -> int:
        if self.hasher.size_bytes + memoryview(data).nbytes > self._most_bytes:
            raise ValueError("larger than asked for")
        self.hasher.update(data)
        return memoryview(data).nbytes


class Change(NamedTuple):
    """What happened to a name: ``assigned``, ``changed``, ``deleted``, or ``unclear`` where it cannot be compared."""

    name: str
    kind: str


def find_changes(sent: Sent, home: dict[str, Any]) -> Iterator[Change]:
    """Compares a cell's globals with what it was given."""
    for name in [*sent.names, *(name for name in home if name not in sent.names)]:
        if is_hidden(name):
            continue
        if name not in home:
            yield Change(name, "deleted")
        elif name not in sent.names or home[name] is not sent.names[name]:
            yield Change(name, "assigned")
        elif name in sent.fingerprints:
            before = sent.fingerprints[name]
            after = fingerprint(home[name], home)
            if before is None or after is None:
                yield Change(name, "unclear")
            elif after != before:
                yield Change(name, "changed")


def is_hidden(name: str) -> bool:
    """Whether a name is the interpreter's or the notebook's own."""
    is_history = name.startswith(("_i", "_")) and name.lstrip("_i").isdigit()
    return name in HIDDEN or is_history or (name.startswith("__") and name.endswith("__"))
