"""Where a job's environment has matplotlib, its figures go to the cell's output."""

from __future__ import annotations

import os
from types import ModuleType

from sm_remote.runtime.after_import import after_import

BACKEND = "module://sm_remote.runtime.figures"


def take_over_figures() -> None:
    """Makes ours matplotlib's backend, unless the job's environment names one.

    Not by the variable that matplotlib reads: processes that the cell starts would inherit it.
    """
    if "MPLBACKEND" not in os.environ:
        after_import("matplotlib", _choose_backend)


def _choose_backend(module: ModuleType) -> None:
    module.use(BACKEND)
