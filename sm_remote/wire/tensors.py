"""torch storages out of band: what lies in a tensor's memory is written from there and mapped back, never copied.

torch reduces a tensor to its storage, shape and strides; only the storage is replaced here, so views keep sharing
memory, and parameters, strides and gradients' flags are torch's own business. Imported only where torch is.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any


def storage_reducers() -> dict[type, Callable[[Any], Any]]:
    """Reducers for pickle's dispatch table."""
    torch = _import_torch()
    try:
        return {torch.UntypedStorage: _reduce_untyped, torch.storage.TypedStorage: _reduce_typed}
    except AttributeError:  # torch before 2.0: its own way, in band
        return {}


def _reduce_typed(storage: Any) -> Any:
    untyped = storage._untyped_storage  # its public methods warn that users should not use them
    if untyped.device.type != "cpu":
        return storage.__reduce__()
    return _rebuild_typed, (untyped, storage.dtype)


def _reduce_untyped(storage: Any) -> Any:
    if storage.device.type != "cpu":
        return storage.__reduce__()
    return _rebuild_untyped, (pickle.PickleBuffer(_view_memory(storage)),)


def _view_memory(storage: Any) -> memoryview:
    """A storage's bytes where they lie. Not through numpy, which torch does without and a job may not have."""
    import ctypes

    class View(ctypes.c_uint8 * storage.nbytes()):  # type: ignore[misc] # the size is known only here
        """Memory of a storage that lives as long as the view."""

    view = View.from_address(storage.data_ptr()) if storage.nbytes() else View()
    view.storage = storage
    return pickle.PickleBuffer(view).raw()


def _rebuild_untyped(buffer: Any) -> Any:
    torch = _import_torch()
    view = memoryview(buffer)
    if view.nbytes == 0:
        return torch.UntypedStorage(0)
    return torch.frombuffer(view, dtype=torch.uint8).untyped_storage()


def _rebuild_typed(untyped: Any, dtype: Any) -> Any:
    torch = _import_torch()
    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)


def _import_torch() -> Any:
    return import_module("torch")  # by name: sm_remote does not depend on it
