"""Writes what `wire.outcome` reads. It runs at the end of a job, maybe short of memory, and imports little."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from sm_remote.wire.digest import Sink
from sm_remote.wire.payload import ALIGNMENT, pickle_value

_MAGIC = b"SMROUT01"
_FORMAT = 1


def write_value(file: Sink, value: Any, facts: Mapping[str, Any]) -> None:
    """Writes the outcome of a job that returned.

    Args:
        file: Where to; an outcome starts at its beginning.
        value: What the function returned; streamed, never held a second time.
        facts: ``python``, ``started``, ``ended``, ``peak_memory_bytes``, ``memory_limit_bytes``.

    Raises:
        Exception: Whatever pickling the value raises; what was written then is to be thrown away.
    """
    _write_header(file, {**facts, "kind": "value"})
    pickle_value(value, file)


def write_exception(
    file: Sink, description: Mapping[str, Any], pickles: Sequence[bytes | None], facts: Mapping[str, Any]
) -> None:
    """Writes the outcome of a job that raised.

    Args:
        file: Where to.
        description: ``phase``, ``chain``, ``missing_module``, ``note`` and ``sources``, as the header has them.
        pickles: For each exception of the chain its pickle, or None where it cannot be pickled.
        facts: As for `write_value`.
    """
    content = _describe(description, pickles)
    _write_header(file, {**facts, **content})
    if content["pickled"]:
        # Each exception has a pickle of its own: one that cannot be rebuilt does not spoil the others.
        pickle_value(tuple(pickles), file, pickler=_plain_pickler)


def write_cell(
    file: Sink,
    names: Any,
    cell: Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    description: Mapping[str, Any] | None = None,
    pickles: Sequence[bytes | None] = (),
) -> None:
    """Writes the outcome of a cell, whether it raised or not.

    Args:
        file: Where to.
        names: What it assigned, a `Namespace`; streamed.
        cell: What the header says of it; JSON.
        facts: As for `write_value`.
        description: What it raised, as for `write_exception`; None where it raised nothing.
        pickles: As for `write_exception`.

    Raises:
        Exception: Whatever pickling the names raises.
    """
    if description is None:
        _write_header(file, {**facts, "kind": "value", "cell": cell})
    else:
        import io

        exception = io.BytesIO()
        content = _describe(description, pickles)
        if content["pickled"]:
            pickle_value(tuple(pickles), exception, pickler=_plain_pickler)
        size_bytes = exception.tell()
        exception.write(bytes(-size_bytes % ALIGNMENT))
        _write_header(file, {**facts, **content, "cell": cell, "exception_bytes": size_bytes})
        file.write(exception.getbuffer())
    pickle_value(names, file)


def _describe(description: Mapping[str, Any], pickles: Sequence[bytes | None]) -> dict[str, Any]:
    """What the header says of an exception."""
    chain = [
        {**link, "pickled": content is not None} for link, content in zip(description["chain"], pickles, strict=True)
    ]
    pickled = bool(pickles) and pickles[0] is not None
    return {**description, "kind": "exception", "chain": chain, "pickled": pickled}


def _plain_pickler(file: Any, *, buffer_callback: Any) -> pickle.Pickler:
    return pickle.Pickler(file, protocol=5, buffer_callback=buffer_callback)


def _write_header(file: Sink, content: Mapping[str, Any]) -> None:
    text = json.dumps({**content, "format": _FORMAT}, sort_keys=True, separators=(",", ":")).encode()
    head = _MAGIC + len(text).to_bytes(8, "little") + text
    file.write(memoryview(head + bytes(-len(head) % ALIGNMENT)))
