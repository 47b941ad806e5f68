"""What a cell gives back, put into the notebook."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, NamedTuple

from sm_remote.jobs.outcome.cell import CellEnding
from sm_remote.wire.namespace import VALUE_NAME


class Assigned(NamedTuple):
    """What has become of a cell's names here.

    Attributes:
        lost: Names that cannot be had here, each with the reason.
        value: Of the cell's last expression, as far as it came back.
    """

    lost: list[tuple[str, str]]
    value: Any = None


def assign_names(ending: CellEnding, home: dict[str, Any]) -> Assigned:
    """Assigns, imports and deletes as the cell has done.

    Args:
        ending: Of the cell's job.
        home: The notebook's names.
    """
    # Unpickling a function sets this for its globals, which are the notebook's.
    has_builtins, builtins = "__builtins__" in home, home.get("__builtins__")
    values, lost = ending.load()
    if has_builtins:
        home["__builtins__"] = builtins
    is_wanted = any(each.name == VALUE_NAME for each in ending.returned)
    value = values.get(VALUE_NAME) if is_wanted else values.pop(VALUE_NAME, None)
    home.update(values)
    if ending.value_name not in (None, VALUE_NAME):
        value = home.get(ending.value_name)
    lost = [(name, why) for name, why in lost if name != VALUE_NAME or is_wanted]
    lost += _import_modules(ending.modules.items(), home)
    for name in ending.deleted:
        home.pop(name, None)
    return Assigned(lost, value)


def remember_value(value: Any, shell: Any) -> None:
    """Makes ``_`` and ``Out[n]`` the value of the cell's last expression, as if it had run here; shows nothing."""
    if value is not None:
        shell.displayhook.update_user_ns(value)


def _import_modules(modules: Iterable[tuple[str, str]], home: dict[str, Any]) -> list[tuple[str, str]]:
    lost = []
    for name, module in modules:
        try:
            home[name] = import_module(module)
        except Exception as error:  # noqa: BLE001 - a module's own code may raise anything
            lost.append((name, f"the module {module} cannot be imported here: {type(error).__name__}: {error}"))
    return lost
