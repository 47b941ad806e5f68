"""How values are pickled: cloudpickle, with torch tensors out of band and exceptions that can be rebuilt."""

from __future__ import annotations

import io
import pickle
import sys
from collections import ChainMap
from collections.abc import Callable
from types import FunctionType
from typing import Any

import cloudpickle

from sm_remote.wire.digest import Sink
from sm_remote.wire.exceptions import reduce_exception
from sm_remote.wire.namespace import Namespace, enter_home, leave_globals_out, rebuild_namespace

PROTOCOL = 5
BufferCallback = Callable[[pickle.PickleBuffer], Any]


class ValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no type hints
    """Pickles a function, arguments or a result; buffers go to ``buffer_callback`` instead of into the body."""

    def __init__(self, file: Sink, *, buffer_callback: BufferCallback | None = None) -> None:
        if "torch" in sys.modules:
            from sm_remote.wire.tensors import storage_reducers

            # The C pickler looks this up once, so it has to be there before its own __init__ runs.
            self.dispatch_table = ChainMap(storage_reducers(), cloudpickle.Pickler.dispatch_table)
        super().__init__(file, protocol=PROTOCOL, buffer_callback=buffer_callback)
        self._home: dict[str, Any] | None = None

    def reducer_override(self, obj: Any) -> Any:
        """Called by pickle for every object that is no plain builtin.

        Raises:
            PicklingError: It is an open file.
        """
        if isinstance(obj, io.TextIOWrapper):
            _refuse_file(obj)
        elif isinstance(obj, BaseException):
            reduced = reduce_exception(obj)
            if reduced is not NotImplemented:
                return reduced
        elif isinstance(obj, Namespace):
            # Before the values, which are pickled after this has returned.
            self._home = obj.home
            enter_home(self, obj.home)
            return rebuild_namespace, (obj.names,)
        elif self._home is not None and isinstance(obj, FunctionType) and obj.__globals__ is self._home:
            return leave_globals_out(super().reducer_override(obj))
        return super().reducer_override(obj)


def _refuse_file(file: io.TextIOWrapper) -> None:
    """Of a text file cloudpickle would make a StringIO with all that is in it: no file, as large as the file was."""
    if file is not sys.stdout and file is not sys.stderr:  # these go as their names
        raise pickle.PicklingError(f"the file {getattr(file, 'name', '?')!r} is open in this process alone")
