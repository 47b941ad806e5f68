"""What a cell gives back, put into the notebook."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from sm_remote.jobs.cell import CellEnding


def assign_names(ending: CellEnding, home: dict[str, Any]) -> list[tuple[str, str]]:
    """Assigns, imports and deletes as the cell has done.

    Args:
        ending: Of the cell's job.
        home: The notebook's names.

    Returns:
        Names that cannot be had here, each with the reason.
    """
    # Unpickling a function sets this for its globals, which are the notebook's.
    has_builtins, builtins = "__builtins__" in home, home.get("__builtins__")
    values, lost = ending.load()
    if has_builtins:
        home["__builtins__"] = builtins
    home.update(values)
    lost += _import_modules(ending.modules.items(), home)
    for name in ending.deleted:
        home.pop(name, None)
    return lost


def _import_modules(modules: Iterable[tuple[str, str]], home: dict[str, Any]) -> list[tuple[str, str]]:
    lost = []
    for name, module in modules:
        try:
            home[name] = import_module(module)
        except Exception as error:  # noqa: BLE001 - a module's own code may raise anything
            lost.append((name, f"the module {module} cannot be imported here: {type(error).__name__}: {error}"))
    return lost
