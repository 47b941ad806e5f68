"""What the front end of this session can show."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any


def replaces_output(shell: Any) -> bool:
    """Whether what was displayed can be replaced: in every notebook, also when it is run without anybody looking."""
    return hasattr(shell, "kernel")


def has_widgets() -> bool:
    """Whether a button can be shown, which takes ipywidgets."""
    return find_spec("ipywidgets") is not None


def has_reader(shell: Any) -> bool:
    """Whether somebody looks while a cell runs: then a job has a live view.

    A person's front end can be asked for input; nbconvert and papermill cannot. Colab shows what a thread displays
    only with the next cell.
    """
    kernel = getattr(shell, "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False)) and "google.colab" not in sys.modules
