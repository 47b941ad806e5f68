"""Where a job's environment has IPython, its ``display`` goes the same way as ours."""

from __future__ import annotations

from types import ModuleType

from sm_remote.runtime import display
from sm_remote.runtime.after_import import after_import

MODULES = ("IPython.core.display_functions", "IPython.core.display")
"""Where the functions are defined; before IPython 7.23 in the second."""
NAMES = ("display", "update_display", "publish_display_data", "clear_output", "DisplayHandle")


def take_over_ipython() -> None:
    """Replaces IPython's functions by ours as soon as they are imported."""
    for name in MODULES:
        after_import(name, _replace)


def _replace(module: ModuleType) -> None:
    for name in NAMES:
        if hasattr(module, name):
            setattr(module, name, getattr(display, name))
