"""How a cell's job ended: what it displayed, the names that it gives back, and what it raised.

The outcome is fetched only when its size is agreed to. One name that cannot be loaded here does not cost the others.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.home import LOCAL_BUCKET
from sm_remote.jobs.outcome.results import conclude, find_marker, open_outcome
from sm_remote.storage import Store
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.outcome import OutcomeHeader, load_names
from sm_remote.wire.pickler import ValuePickler


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnedName:
    """A name that a cell gives back.

    Attributes:
        name: The name.
        type_name: Of its value.
        size_bytes: Of its pickle.
        change: ``assigned`` or ``changed``, for a value that was sent and changed in place.
    """

    name: str
    type_name: str
    size_bytes: int
    change: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CellEnding:
    """What a cell's job left, as far as it was read.

    Attributes:
        size_bytes: Of all that it gives back.
        withheld: Whether it was not fetched, because that is more than was agreed to.
        returned: The names that it gives back.
        modules: Modules by the names under which it imported them.
        refused: Names that could not be pickled, each with the reason.
        deleted: Names that it deleted.
        absent: Names that were asked for and that it does not have.
        shown: Each place's number with what is displayed there at the end: data and metadata by MIME type.
        error: What it raised.
        value: What the job gives back that is no cell's.
        path: The outcome's file, with its header: whence the values are loaded.
        value_name: The name that stands for the value of its last expression; None where that stayed behind.
    """

    size_bytes: int = 0
    withheld: bool = False
    returned: tuple[ReturnedName, ...] = ()
    modules: dict[str, str] = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()
    deleted: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    shown: tuple[tuple[int, dict[str, Any], dict[str, Any]], ...] = ()
    error: BaseException | None = None
    value: Any = None
    path: tuple[Path, OutcomeHeader] | None = None
    value_name: str | None = None

    @property
    def is_cell(self) -> bool:
        """Whether the job ran a cell; a function's job has only a value or an error."""
        return self.withheld or self.path is not None

    def load(self) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Loads the values.

        Returns:
            The values by name, and the names that cannot be loaded here, each with the reason.
        """
        if self.path is None:
            return {}, []
        try:
            return load_names(*self.path), []
        except Exception as error:  # noqa: BLE001 - unpickling may raise anything
            return _load_leniently(self.path, error, [each.name for each in self.returned])


def conclude_cell(
    description: TrainingJobDescription, *, store: Store, tail: Sequence[str], limit_bytes: int | None
) -> CellEnding:
    """`results.conclude` for a cell: what it raised is part of what is returned.

    Args:
        description: Of the ended job.
        store: The one below ``description.output_uri``.
        tail: The newest lines of its log, the marker line among them.
        limit_bytes: More than this is not loaded, and not fetched; None for any size.

    Raises:
        JobError: There is no outcome: the job was stopped, or ended by something else than the cell.
        OutOfReachError: The store did not answer.
    """
    marker = find_marker(tail, description)
    if marker is None:
        return CellEnding(value=conclude(description, store=store, tail=tail))
    is_large = limit_bytes is not None and marker.size_bytes > limit_bytes
    if is_large and not store.root_uri.startswith(f"s3://{LOCAL_BUCKET}"):
        return CellEnding(size_bytes=marker.size_bytes, withheld=True)
    path, header = open_outcome(description, store, marker)
    return _read_ending(description, store=store, tail=tail, opened=(path, header, marker), is_large=is_large)


def _read_ending(
    description: TrainingJobDescription,
    *,
    store: Store,
    tail: Sequence[str],
    opened: tuple[Path, OutcomeHeader, BlobRef],
    is_large: bool,
) -> CellEnding:
    path, header, marker = opened
    error: BaseException | None = None
    value: Any = None
    if header.cell is None or header.kind == "exception":
        try:
            value = conclude(description, store=store, tail=tail)
        except Exception as raised:  # noqa: BLE001 - whatever the cell raised
            error = raised
    if header.cell is None:
        return CellEnding(error=error, value=value)
    cell = header.cell
    return CellEnding(
        size_bytes=marker.size_bytes,
        withheld=is_large,
        returned=tuple(
            ReturnedName(name=name, type_name=kind, size_bytes=size_bytes, change=change)
            for name, kind, size_bytes, change in cell["names"]
        ),
        modules=dict(cell["modules"]),
        refused=tuple((name, reason) for name, reason in cell["refused"]),
        deleted=tuple(cell["deleted"]),
        absent=tuple(cell["absent"]),
        shown=tuple((number, data, metadata) for number, data, metadata in cell["shown"]),
        error=error,
        path=(path, header),
        value_name=cell.get("value"),
    )


class _Absent:
    """Stands for an object whose class or function is not here; takes whatever unpickling does to it."""

    reason = ""

    def __new__(cls, *_: Any, **__: Any) -> _Absent:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        return

    def __setstate__(self, state: object) -> None:
        return

    def __setitem__(self, key: object, value: object) -> None:
        return

    def __call__(self, *_: Any, **__: Any) -> _Absent:
        return self

    append = extend = __setstate__


class _AbsentError(Exception):
    """Something that is absent was met."""


class _LenientUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name == "subimport" and module.startswith("cloudpickle"):
            return _import_or_stand_in
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError) as error:
            return type(name, (_Absent,), {"reason": _explain(error)})


def _import_or_stand_in(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        return type(name, (_Absent,), {"reason": _explain(error)})()


def _explain(error: ImportError | AttributeError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"it needs the module {error.name!r}, which is not installed here"
    return f"it needs what is not here: {error}"


class _Detector(ValuePickler):
    """Meets every object that a value is made of."""

    def reducer_override(self, obj: Any) -> Any:
        kind = obj if isinstance(obj, type) else type(obj)
        if issubclass(kind, _Absent):
            raise _AbsentError(kind.reason)
        return super().reducer_override(obj)


class _Nowhere:
    def write(self, data: memoryview) -> int:
        return memoryview(data).nbytes


def _load_leniently(
    path: tuple[Path, OutcomeHeader], error: Exception, names: Iterable[str]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Loads what can be loaded: where a class is not here, something else stands in its place until it is found."""

    def loads(body: memoryview, *, buffers: Iterable[Any]) -> Any:
        return _LenientUnpickler(io.BytesIO(bytes(body)), buffers=buffers).load()

    try:
        values = load_names(*path, loads=loads)
    except Exception as second:  # noqa: BLE001 - unpickling may raise anything
        reason = f"{type(second).__name__}: {second}"
        return {}, [(name, reason) for name in names] or [("the names", f"{type(error).__name__}: {error}")]
    reasons = {name: _find_absent(value) for name, value in values.items()}
    kept = {name: value for name, value in values.items() if reasons[name] is None}
    return kept, [(name, reason) for name, reason in reasons.items() if reason is not None]


def _find_absent(value: Any) -> str | None:
    try:
        _Detector(_Nowhere(), buffer_callback=lambda _: None).dump(value)
    except _AbsentError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - it came out of a pickle; that it cannot go back into one is no fault
        return None
    return None
