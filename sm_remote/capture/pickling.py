"""Pickles what travels, and notes on the way which modules it will need.

Objects of ``__main__`` and of notebooks go by value, as cloudpickle does it; what lies in a module goes by reference,
and the module's source, or the package it is installed from, goes with it (`reach`, `environment`). Two things
cloudpickle alone would get wrong are mended here: modules that exist only in memory go by value too, and a decorated
function of a module goes by reference although its name there stands for the decorated one.
"""

from __future__ import annotations

import functools
import operator
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any

import cloudpickle

from sm_remote.capture.imports import global_names, scan_code
from sm_remote.capture.modules import MAIN_MODULES, Origin, locate
from sm_remote.runtime.cell import Cell
from sm_remote.wire.digest import BlobRef, Sink, digest_bytes
from sm_remote.wire.payload import pickle_value
from sm_remote.wire.pickler import BufferCallback, ValuePickler

_CACHED_FUNCTION = type(functools.lru_cache(maxsize=None)(lambda: None))


class Notes:
    """What pickling met.

    Attributes:
        modules: Modules that are needed to unpickle and to run it, each with the reason.
        functions: The functions that went by value.
        module_objects: Modules that are themselves values, as a global variable is: loading imports them.
    """

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}
        self.functions: list[FunctionType] = []
        self.module_objects: set[str] = set()
        self.because: dict[int, str] = {}

    def note(self, module: object, why: str) -> None:
        """Notes that a module is needed; the first reason counts."""
        if isinstance(module, str) and module not in MAIN_MODULES:
            self.modules.setdefault(module, why)


def pickle_noting(
    value: Any,
    file: Sink,
    notes: Notes,
    *,
    owner: str,
    buffers: dict[str, memoryview] | None = None,
) -> tuple[BlobRef, ...]:
    """Writes a value as a payload and notes which modules it needs.

    Args:
        value: What to pickle.
        file: Where the payload goes.
        notes: Where the modules are noted.
        owner: In whose name a module is needed, for reasons: ``the arguments``, ``train()``.
        buffers: Collects large buffers by digest, to be stored afterwards; without it all are inline.

    Returns:
        The collected buffers, as objects.

    Raises:
        Exception: Whatever pickling the value raises.
    """

    with _by_value_modules() as by_value:

        def make_pickler(target: Sink, *, buffer_callback: BufferCallback | None = None) -> NotingPickler:
            return NotingPickler(target, notes, owner, by_value, buffer_callback=buffer_callback)

        put_buffer = None if buffers is None else functools.partial(_collect_buffer, buffers)
        return pickle_value(value, file, put_buffer=put_buffer, pickler=make_pickler)


def _collect_buffer(buffers: dict[str, memoryview], view: memoryview) -> BlobRef:
    ref = BlobRef(digest=digest_bytes(view), size_bytes=view.nbytes)
    # A view of its own: the given one is released when this returns.
    buffers.setdefault(ref.digest, memoryview(view))
    return ref


class NotingPickler(ValuePickler):
    """The wire's pickler, which also notes every module it refers to."""

    def __init__(
        self,
        file: Sink,
        notes: Notes,
        owner: str,
        by_value: Callable[[ModuleType], None],
        *,
        buffer_callback: BufferCallback | None = None,
    ) -> None:
        super().__init__(file, buffer_callback=buffer_callback)
        self._notes = notes
        self._owner = owner
        self._by_value = by_value
        self._known_types: set[type] = set()
        self._known_modules: dict[str, bool] = {}

    def reducer_override(self, obj: Any) -> Any:
        """Called by pickle for every object that is no plain builtin."""
        kind = type(obj)
        if kind is FunctionType:
            reduced = self._note_function(obj)
            if reduced is not None:
                return reduced
        elif kind is ModuleType:
            if self._note_module(obj.__name__, f"module {obj.__name__}", obj):
                self._notes.module_objects.add(obj.__name__)
        elif isinstance(obj, type):
            self._note_class(obj)
        elif kind is Cell:
            self._note_cell(obj)
        elif kind is _CACHED_FUNCTION and not is_importable(obj):
            return _reduce_cached_function(obj)
        else:
            self._note_instance(obj, kind)
        return super().reducer_override(obj)

    def _note_function(self, func: FunctionType) -> Any:
        if is_importable(func) and self._note_module(func.__module__, f"{func.__qualname__}()", func):
            return None
        decorated = _find_decorated(func)
        if decorated is not None and self._note_module(func.__module__, f"{func.__qualname__}()", func):
            return decorated
        self._notes.functions.append(func)
        package = func.__globals__.get("__package__") or ""
        for name in scan_code(func.__code__, package if isinstance(package, str) else ""):
            self._notes.note(name, f"imported in {func.__qualname__}()")
        for name, value in variables_of(func):
            self._notes.because.setdefault(id(value), f"variable '{name}' used by {func.__qualname__}()")
        return None

    def _note_cell(self, cell: Cell) -> None:
        for name in scan_code(cell.compile(), ""):
            self._notes.note(name, "imported in the cell")

    def _note_class(self, kind: type) -> None:
        self._known_types.add(kind)
        if is_importable(kind):
            self._note_module(kind.__module__, f"class {kind.__qualname__}", kind)

    def _note_instance(self, obj: Any, kind: type) -> None:
        # What is pickled as a bare name (a ufunc, a cached function) says itself where it comes from; of all else
        # only the type matters, and is looked at once, as there may be millions of it.
        try:
            module = obj.__module__
        except Exception:  # noqa: BLE001 - the attribute of somebody's proxy may raise anything
            module = None
        if module is not None and module != kind.__module__:
            self._note_module(module, f"{getattr(obj, '__name__', kind.__name__)}", obj)
        if kind not in self._known_types:
            self._note_class(kind)

    def _note_module(self, name: Any, what: str, obj: Any) -> bool:
        """Notes a module, unless it exists in memory alone: then its members go by value. Tells whether it did."""
        if not isinstance(name, str):
            return False
        known = self._known_modules.get(name)
        if known is None:
            known = self._known_modules[name] = self._can_be_imported(name)
            if known:
                self._notes.note(name, self._notes.because.get(id(obj)) or f"{what} in {self._owner}")
        return known

    def _can_be_imported(self, name: str) -> bool:
        if name not in MAIN_MODULES and locate(name).origin is not Origin.DYNAMIC:
            return True
        module = sys.modules.get(name)
        if module is not None and name != "__main__":
            self._by_value(module)
        return False


def variables_of(func: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals and the closure's variables that a function's code looks up, by name."""
    for name in sorted(global_names(func.__code__)):
        if name in func.__globals__:
            yield name, func.__globals__[name]
    for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def is_importable(obj: Any) -> bool:
    """Whether a function or class is found under its own name in its module, outside ``__main__``."""
    module = getattr(obj, "__module__", None)
    if not isinstance(module, str) or module in MAIN_MODULES:
        return False
    return _look_up(module, obj) is obj


def _look_up(module: str, obj: Any) -> Any:
    name = getattr(obj, "__qualname__", None)
    if module not in sys.modules or not isinstance(name, str):
        return None
    try:
        return operator.attrgetter(name)(sys.modules[module])
    except AttributeError:
        return None


def _find_decorated(func: FunctionType) -> Any:
    """How to refer to a function whose name in its module stands for what @remote made of it.

    In the job that name stands for the job's own version of it, which runs the function in place.
    """
    if func.__module__ in MAIN_MODULES:
        return None
    found = _look_up(func.__module__, func)
    if found is None or type(found).__module__.partition(".")[0] != "sm_remote":
        return None
    if getattr(found, "__wrapped__", None) is not func:
        return None
    return operator.attrgetter(f"{func.__qualname__}.__wrapped__"), (sys.modules[func.__module__],)


def _reduce_cached_function(obj: Any) -> Any:
    """A function under ``functools.cache``, which pickle would send as nothing but its name."""
    parameters = obj.cache_parameters()
    info = functools._CacheInfo
    return _CACHED_FUNCTION, (obj.__wrapped__, parameters["maxsize"], parameters["typed"], info), vars(obj)


_registered: Counter[str] = Counter()
_registering = threading.Lock()


@contextmanager
def _by_value_modules() -> Iterator[Callable[[ModuleType], None]]:
    """Lets modules be pickled by value until the end of the block, as cloudpickle's registry is the process's own."""
    mine: dict[str, ModuleType] = {}

    def add(module: ModuleType) -> None:
        if module.__name__ in mine:
            return
        with _registering:
            if not _registered[module.__name__] and module.__name__ in cloudpickle.list_registry_pickle_by_value():
                return  # the user's own wish, which is not to be undone
            _registered[module.__name__] += 1
            cloudpickle.register_pickle_by_value(module)
            mine[module.__name__] = module

    try:
        yield add
    finally:
        with _registering:
            for name, module in mine.items():
                _registered[name] -= 1
                if not _registered[name]:
                    cloudpickle.unregister_pickle_by_value(module)
