"""Which argument brought a module: asked only when that module is missing."""

from __future__ import annotations

from sm_remote.capture.pickling import Notes, pickle_noting
from sm_remote.capture.plan import Plan

_MOST_BYTES = 64 << 20


def name_argument(plan: Plan, module: str) -> str | None:
    """The argument whose pickle refers to a top-level module, with what of it; None where none does.

    The arguments are pickled once more, one by one and to nowhere: large ones are left alone.
    """
    if plan.arguments.ref().size_bytes > _MOST_BYTES:
        return None
    for label, value in plan.labels:
        notes = Notes()
        try:
            pickle_noting(value, _Nowhere(), notes, owner=label, buffers={})
        except Exception:  # noqa: BLE001, S112 - it was pickled a moment ago; a reason is not worth an error
            continue
        for name, why in notes.modules.items():
            if name.partition(".")[0] == module:
                return why
    return None


class _Nowhere:
    """Takes bytes and keeps none."""

    def write(self, data: bytes | bytearray | memoryview) -> int:
        return memoryview(data).nbytes
