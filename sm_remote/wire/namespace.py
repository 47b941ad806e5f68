"""Names of a notebook on their way into a job and back, with the functions that were defined there.

A function of a notebook looks its globals up in the notebook. In the job the names that travel are the globals of
``__main__``, and back in the notebook they are again those of ``__main__``: so what is pickled of such a function is
its code and a reference to that dictionary, not a copy of the globals that it uses. What the cell assigns, a function
that was sent sees; what the notebook assigns later, a function that came back sees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

WRAPPING_BYTES = 120
"""About what a payload and a namespace take around one value: no part of the size that people are told."""

VALUE_NAME = "_"
"""Under which the value of a cell's last expression travels, where it has no name of its own."""


class Namespace:
    """Names with their values, to be pickled together: values that they share stay shared.

    Unpickling gives the plain dictionary of names.

    Args:
        names: What travels.
        home: The dictionary in which functions of the notebook, or of the job's cell, look names up.
    """

    def __init__(self, names: Mapping[str, Any], home: dict[str, Any]) -> None:
        self.names = dict(names)
        self.home = home


class _HomeReference:
    """Stands for the globals of ``__main__``, wherever that is."""

    def __reduce__(self) -> tuple[Callable[[], dict[str, Any]], tuple[()]]:
        return find_home_globals, ()


HOME_REFERENCE = _HomeReference()


def find_home_globals() -> dict[str, Any]:
    """The globals of ``__main__``: the notebook's names here, the cell's in the job."""
    return vars(sys.modules["__main__"])


def rebuild_namespace(names: dict[str, Any]) -> dict[str, Any]:
    """What a pickled `Namespace` becomes."""
    return names


def enter_home(pickler: Any, home: dict[str, Any]) -> None:
    """Makes a pickler of cloudpickle's refer to the globals of functions that were defined at home."""
    pickler.globals_ref[id(home)] = HOME_REFERENCE


def leave_globals_out(reduced: Any) -> Any:
    """A function's reduction as cloudpickle makes it, without the values of its globals."""
    if not isinstance(reduced, tuple):
        return reduced
    make, arguments, (attributes, slots), *rest = reduced
    return make, arguments, (attributes, {**slots, "__globals__": {}}), *rest
