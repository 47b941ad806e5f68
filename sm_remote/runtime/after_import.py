"""Lets something be done when a module has just been imported, which may be never."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

Act = Callable[[ModuleType], None]


def after_import(name: str, act: Act) -> None:
    """Calls ``act`` with a module after its first import, or now where it is imported already."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        act(loaded)
    else:
        sys.meta_path.insert(0, _Watch(name, act))


class _Watch:
    """A finder that finds nothing itself: it asks the others, and sees the module after it was executed."""

    def __init__(self, name: str, act: Act) -> None:
        self._name = name
        self._act = act

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the import system calls for every module."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        for finder in list(sys.meta_path):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._watch(spec)
                return spec
        return None

    def _watch(self, spec: ModuleSpec) -> None:
        loader, act = spec.loader, self._act
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def execute_and_act(module: ModuleType) -> None:
            execute(module)
            act(module)

        try:
            loader.exec_module = execute_and_act  # type: ignore[method-assign, union-attr]
        except AttributeError:  # a loader without attributes of its own: the module stays as it is
            return
