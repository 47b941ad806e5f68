"""An exception as text: frames, source lines and causes for the outcome, and the few lines of /opt/ml/output/failure.

The frames of our own that lie around the function's are left out: they are the same in every job.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from sm_remote.wire.digest import flat_view

FAILURE_CHARACTERS = 1000
"""SageMaker shows 1024, with words of its own around ours."""
FAILURE_TEXT_CHARACTERS = 700
"""Of these the exception's own text: the rest is for the place."""
TEXT_CHARACTERS = 100_000
LINE_CHARACTERS = 1000
SOURCES_CHARACTERS = 200_000
CHAIN_LINKS = 20
FRAMES = 100
"""Of a deep recursion the first and the last so many."""
PICKLE_BYTES = 64 << 20

Link = tuple[str, BaseException]


def walk_chain(error: BaseException) -> list[Link]:
    """The exception and what led to it, as Python would print it: ``(relation, exception)``."""
    links: list[Link] = []
    relation, current, seen = "raised", error, set[int]()
    while current is not None and id(current) not in seen and len(links) < CHAIN_LINKS:
        seen.add(id(current))
        links.append((relation, current))
        if current.__cause__ is not None:
            relation, current = "cause", current.__cause__
        elif current.__context__ is not None and not current.__suppress_context__:
            relation, current = "context", current.__context__
        else:
            break
    return links


def describe_exception(error: BaseException, *, phase: str) -> dict[str, Any]:
    """What the outcome's header says about an exception."""
    links = walk_chain(error)
    return {
        "phase": phase,
        "chain": [_describe_link(relation, each) for relation, each in links],
        "missing_module": error.name if isinstance(error, ModuleNotFoundError) else None,
        "sources": _collect_sources(each for _, each in links),
    }


def pickle_chain(error: BaseException) -> tuple[list[bytes | None], str | None]:
    """Pickles each exception of a chain by itself.

    Returns:
        The pickles, None where there can be none, and why there is none of the exception itself.
    """
    pickles: list[bytes | None] = []
    note = None
    for relation, each in walk_chain(error):
        try:
            pickles.append(_pickle_exception(each))
        except Exception as problem:  # noqa: BLE001 - the exception's own __reduce__ may raise anything
            pickles.append(None)
            if relation == "raised":
                note = f"{_full_name(type(error))} cannot be pickled: {type(problem).__name__}: {safe_text(problem)}"
    return pickles, note


def render_failure(error: BaseException) -> str:
    """The text of /opt/ml/output/failure: what was raised, then where."""
    text = safe_text(error)
    if len(text) > FAILURE_TEXT_CHARACTERS:
        text = text[:FAILURE_TEXT_CHARACTERS] + "..."
    head = f"{_short_name(type(error))}: {text}".removesuffix(": ")
    if isinstance(error, SystemExit):
        head += " (the function called sys.exit() instead of returning)"
    frames = _describe_frames(error.__traceback__)
    if not frames:
        return head[:FAILURE_CHARACTERS]
    last = frames[-1]
    text = f"{head}\nat {last['filename']}:{last['lineno']} in {last['name']}: {last['line']}".removesuffix(": ")
    return text[:FAILURE_CHARACTERS]


def trim_traceback(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame on that is not ours (nor cloudpickle's or asyncio's)."""
    current = traceback
    while current is not None and _is_around(current):
        current = current.tb_next
    return current


def safe_text(error: BaseException) -> str:
    """``str(error)``, whatever its class makes of that."""
    try:
        return str(error)[:TEXT_CHARACTERS]
    except Exception as problem:  # noqa: BLE001 - a broken __str__ is the user's
        return f"<its text cannot be had: {type(problem).__name__}>"


def _describe_link(relation: str, error: BaseException) -> dict[str, Any]:
    notes = getattr(error, "__notes__", ())
    return {
        "relation": relation,
        "type": _full_name(type(error)),
        "text": safe_text(error),
        "frames": _describe_frames(error.__traceback__),
        "notes": [str(note) for note in notes] if isinstance(notes, list | tuple) else [],
    }


def _describe_frames(traceback: TracebackType | None) -> list[dict[str, Any]]:
    entries = list(_walk(trim_traceback(traceback)))
    if len(entries) > 2 * FRAMES:
        entries = entries[:FRAMES] + entries[-FRAMES:]
    return [_describe_frame(entry) for entry in entries]


def _describe_frame(entry: TracebackType) -> dict[str, Any]:
    code = entry.tb_frame.f_code
    lineno = entry.tb_lineno or code.co_firstlineno
    line = linecache.getline(code.co_filename, lineno, entry.tb_frame.f_globals)
    return {
        "filename": code.co_filename,
        "name": code.co_name,
        "lineno": lineno,
        "line": line.strip()[:LINE_CHARACTERS],
    }


def _walk(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        if not _module_of(traceback).startswith("sm_remote.runtime."):
            yield traceback
        traceback = traceback.tb_next


def _is_around(entry: TracebackType) -> bool:
    return _module_of(entry).startswith(("sm_remote.runtime.", "sm_remote.wire.", "cloudpickle.", "asyncio."))


def _module_of(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__", ""))


def _collect_sources(errors: Iterator[BaseException]) -> dict[str, str]:
    """Texts of the user's files in the tracebacks, the most recent frames first, while there is room."""
    texts: dict[str, str] = {}
    left = SOURCES_CHARACTERS
    for error in errors:
        for entry in reversed(list(_walk(trim_traceback(error.__traceback__)))):
            filename = entry.tb_frame.f_code.co_filename
            if filename in texts or not _is_users(filename):
                continue
            text = "".join(linecache.getlines(filename, entry.tb_frame.f_globals))
            if text and len(text) <= left:
                texts[filename] = text
                left -= len(text)
    return texts


def _is_users(filename: str) -> bool:
    library = os.path.dirname(os.__file__) + os.sep
    return not (
        filename.startswith((library, "<frozen"))
        or "/site-packages/" in filename
        or "/dist-packages/" in filename
        or "/sm_remote_layer/" in filename
    )


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _short_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else _full_name(kind)


def _pickle_exception(error: BaseException) -> bytes:
    from sm_remote.wire.pickler import ValuePickler

    sink = _BoundedSink()
    ValuePickler(sink).dump(error)
    return b"".join(sink.parts)


class _BoundedSink:
    """Collects what is written, up to `PICKLE_BYTES`: an exception that drags a data set along is sent as text."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._left = PICKLE_BYTES

    def write(self, data: bytes | memoryview) -> int:
        size = flat_view(data).nbytes
        self._left -= size
        if self._left < 0:
            raise ValueError(f"it holds more than {PICKLE_BYTES >> 20} MiB")
        self.parts.append(bytes(data))
        return size
