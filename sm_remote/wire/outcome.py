"""How a job ended, as one file: what is known as JSON first, then the value or the exception as a payload.

Layout::

    SMROUT01 | length of the JSON u64, little endian | JSON | pad to 64 | payload, absent where nothing was pickled

The outcome of a cell also has the names that it assigned, as the payload of its value, or behind that of its exception.
The JSON can be read without trusting anybody; loading the object unpickles, so the file's digest must have been
checked against the job's log first. Writing is in `wire.outcome_writer`, which the job needs and the client does not.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sm_remote.wire.payload import ALIGNMENT, PathLike, load_value

MAGIC = b"SMROUT01"
FORMAT = 1
PREFIX = struct.Struct("<8sQ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """A line of a remote traceback; ``line`` is its source, empty where it is unknown."""

    filename: str
    name: str
    lineno: int
    line: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteException:
    """One exception of a chain, as text.

    Attributes:
        type: Its class, with the module: ``builtins.ZeroDivisionError``.
        text: ``str(exception)``.
        relation: What it is to the one before it in the chain: ``raised`` for the first, ``cause`` or ``context``.
        frames: Its traceback, the function's own call first.
        notes: Its ``__notes__``.
        pickled: Whether it is in the payload.
    """

    type: str
    text: str
    relation: Literal["raised", "cause", "context"] = "raised"
    frames: tuple[Frame, ...] = ()
    notes: tuple[str, ...] = ()
    pickled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeHeader:
    """What is known about a job's end without unpickling anything.

    Attributes:
        kind: ``value`` or ``exception``.
        python: The job's Python version, like ``3.11.7``.
        started: When the runtime started, in seconds since the epoch.
        ended: When the function had ended.
        peak_memory_bytes: The most that the function's process (or one of its children) held, where it is known.
        memory_limit_bytes: What the container allowed it, where there is a limit.
        phase: Where an exception came from: ``load`` (before the function ran), ``run``, or ``result`` (the value
            could not be sent).
        chain: The exception that was raised, then its causes and contexts.
        pickled: Whether the exception that was raised is in the payload.
        missing_module: The module that a ModuleNotFoundError named.
        note: Why the exception is not in the payload, where it is not.
        sources: Texts of the user's files that the frames are in.
        payload_offset: Where the payload starts in the file.
        cell: What a notebook's cell displayed and assigned, as `runtime.cell_result` writes it; None of a function.
        exception_end: Where the payload of a cell's exception ends; at its start where there is none.
    """

    kind: Literal["value", "exception"]
    python: str
    started: float
    ended: float
    peak_memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    phase: Literal["load", "run", "result"] = "run"
    chain: tuple[RemoteException, ...] = ()
    pickled: bool = True
    missing_module: str | None = None
    note: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    payload_offset: int = 0
    cell: Mapping[str, Any] | None = None
    exception_end: int = 0

    @property
    def names_offset(self) -> int:
        """Where the payload with a cell's names starts in the file."""
        return align(self.exception_end)


def read_header(path: PathLike | int) -> OutcomeHeader:
    """Reads an outcome's JSON.

    Args:
        path: The file, or a descriptor of it, which is closed.

    Raises:
        ValueError: It is no outcome, or one of another format.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        prefix = file.read(PREFIX.size)
        magic, length = PREFIX.unpack(prefix) if len(prefix) == PREFIX.size else (b"", 0)
        if magic != MAGIC or length > os.fstat(file.fileno()).st_size:
            raise ValueError("not an outcome of format 1")
        content = json.loads(file.read(length))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("not an outcome of format 1")
    try:
        return _parse_header(content, payload_offset=align(PREFIX.size + length))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the outcome's header lacks something: {error}") from error


def load_object(path: PathLike, header: OutcomeHeader) -> Any:
    """Unpickles an outcome's value, or its exception with the causes that could be pickled. Verify the file first.

    Args:
        path: The file; it must not be changed while the object lives: arrays are mapped from it.
        header: As `read_header` gave it.

    Raises:
        LookupError: The exception was not pickled; ``header.chain`` has its text.
        Exception: Whatever unpickling raises.
    """
    if header.kind == "value":
        return load_value(path, offset=header.payload_offset)
    if not header.pickled:
        raise LookupError(header.note or "the exception was not pickled")
    end = None if header.cell is None else header.exception_end
    pickles = load_value(path, offset=header.payload_offset, end=end)
    raised = pickle.loads(pickles[0])  # noqa: S301 - the docstring demands a verified file
    current = raised
    for link, content in zip(header.chain[1:], pickles[1:], strict=True):
        successor = _load_link(content)
        if successor is None:
            break
        if link.relation == "cause":
            current.__cause__ = successor
        else:
            current.__context__ = successor
        current = successor
    return raised


def load_names(path: PathLike, header: OutcomeHeader, *, loads: Callable[..., Any] = pickle.loads) -> dict[str, Any]:
    """Unpickles the names that a cell assigned, also of one that raised. Verify the file first.

    Args:
        path: The file; it must not be changed while the values live.
        header: As `read_header` gave it.
        loads: Unpickles in ``pickle.loads``'s place.

    Raises:
        LookupError: The outcome is not a cell's.
        Exception: Whatever unpickling raises.
    """
    if header.cell is None:
        raise LookupError("the outcome is not that of a cell")
    names: dict[str, Any] = load_value(path, offset=header.names_offset, loads=loads)
    return names


def load_outcome(path: PathLike) -> Any:
    """`load_object` of a file whose header was not read yet."""
    return load_object(path, read_header(path))


def align(offset: int) -> int:
    """The next multiple of the payload's alignment."""
    return offset + -offset % ALIGNMENT


def _load_link(content: bytes | None) -> BaseException | None:
    if content is None:
        return None
    try:
        loaded = pickle.loads(content)  # noqa: S301 - from the same verified file
    except Exception:  # noqa: BLE001 - a cause that cannot be rebuilt must not cost the exception itself
        return None
    return loaded if isinstance(loaded, BaseException) else None


def _parse_header(content: dict[str, Any], *, payload_offset: int) -> OutcomeHeader:
    return OutcomeHeader(
        kind="value" if content["kind"] == "value" else "exception",
        python=content["python"],
        started=content["started"],
        ended=content["ended"],
        peak_memory_bytes=content.get("peak_memory_bytes"),
        memory_limit_bytes=content.get("memory_limit_bytes"),
        phase=content.get("phase", "run"),
        chain=tuple(_parse_link(link) for link in content.get("chain", ())),
        pickled=content.get("pickled", True),
        missing_module=content.get("missing_module"),
        note=content.get("note"),
        sources=content.get("sources", {}),
        payload_offset=payload_offset,
        cell=content.get("cell"),
        exception_end=payload_offset + content.get("exception_bytes", 0),
    )


def _parse_link(link: dict[str, Any]) -> RemoteException:
    return RemoteException(
        type=link["type"],
        text=link["text"],
        relation=link["relation"],
        frames=tuple(
            Frame(filename=each["filename"], name=each["name"], lineno=each["lineno"], line=each["line"])
            for each in link["frames"]
        ),
        notes=tuple(link["notes"]),
        pickled=link["pickled"],
    )
