"""What the front end of this session can show."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from typing import Any

from sm_remote.jobs.logs import text_output
from sm_remote.jobs.logs.text_output import Bars


def replaces_output(shell: Any) -> bool:
    """Whether what was displayed can be replaced: in every notebook, also when it is run without anybody looking."""
    return hasattr(shell, "kernel")


def choose_bars(shell: Any) -> Bars:
    """What becomes of progress bars: redrawn where a person's front end shows them, else their last state."""
    if not replaces_output(shell):
        return text_output.choose_bars()
    is_main = threading.current_thread() is threading.main_thread()
    return "redrawn" if is_main and _can_ask(shell) else "last"


def has_widgets() -> bool:
    """Whether a button can be shown, which takes ipywidgets."""
    return find_spec("ipywidgets") is not None


def has_reader(shell: Any) -> bool:
    """Whether somebody looks while a cell runs: then a job has a live view.

    A person's front end can be asked for input; nbconvert and papermill cannot. Colab shows what a thread displays
    only with the next cell.
    """
    return _can_ask(shell) and "google.colab" not in sys.modules


def _can_ask(shell: Any) -> bool:
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))
