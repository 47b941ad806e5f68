"""The tags that every job of ours carries, so that a list of jobs tells where each came from."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import sys
from collections.abc import Mapping

LONGEST_VALUE = 256
"""Source: API_Tag: value 0-256 characters of letters, spaces, digits and ``_.:/=+-@``."""


def build_tags(origin: Mapping[str, str], function_name: str, given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Joins our tags and the user's; the user's win.

    Args:
        origin: What `find_origin` found.
        function_name: Of the function that runs.
        given: The setting ``tags``.
    """
    ours = {f"sm_remote:{name}": value for name, value in {"function": function_name, **origin}.items() if value}
    cleaned = {name: _clean(value) for name, value in ours.items()}
    return tuple({**cleaned, **given}.items())


def _clean(value: str) -> str:
    return re.sub(r"[^\w\s.:/=+\-@]", "_", value)[:LONGEST_VALUE]


def find_origin() -> dict[str, str]:
    """Notebook, cell and user of this process, where they are known."""
    origin: dict[str, str] = {}
    with contextlib.suppress(OSError, KeyError, ImportError):  # a uid without a name, as in some containers
        origin["user"] = getpass.getuser()
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # Jupyter names the notebook in the kernel's environment, VS Code in the notebook's own variables.
    notebook = os.environ.get("JPY_SESSION_NAME", "")
    if shell is not None:
        # Not execution_count: since IPython 9 it is the next cell's already while one runs.
        origin["cell"] = str(len(shell.user_ns.get("In", ())) - 1)
        notebook = notebook or shell.user_ns.get("__vsc_ipynb_file__", "")
    if notebook:
        origin["notebook"] = os.path.basename(notebook)
    return origin
