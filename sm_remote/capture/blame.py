"""Which argument or variable brought a module: asked only when that module is missing."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from sm_remote.capture.pickling import Notes, pickle_noting, variables_of
from sm_remote.capture.plan import Plan

_MOST_BYTES = 1 << 30
"""Of all that the call sends; so much is pickled and hashed in about a second."""


def name_part(plan: Plan, module: str) -> str | None:
    """The part of a call whose pickle refers to a top-level module, with what of it; None where none does.

    The parts are pickled once more, one by one and to nowhere: large ones are left alone.
    """
    for label, value in _list_parts(plan):
        notes = Notes()
        try:
            pickle_noting(value, _Nowhere(), notes, owner=label, buffers={})
        except Exception:  # noqa: BLE001, S112 - it was pickled a moment ago; a reason is not worth an error
            continue
        for name, why in notes.modules.items():
            if name.partition(".")[0] == module:
                return why
    return None


def _list_parts(plan: Plan) -> Iterator[tuple[str, Any]]:
    payloads = (plan.function.ref(), plan.arguments.ref(), *plan.external)
    if sum(ref.size_bytes for ref in payloads) > _MOST_BYTES:
        return
    yield from plan.labels
    func = plan.target.func
    if isinstance(func, FunctionType):
        for name, value in variables_of(func):
            if not isinstance(value, ModuleType):  # which is said already
                yield f"variable '{name}' used by {plan.target.name}()", value


class _Nowhere:
    """Takes bytes and keeps none."""

    def write(self, data: bytes | bytearray | memoryview) -> int:
        return memoryview(data).nbytes
