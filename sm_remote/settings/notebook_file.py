"""The settings that a notebook's file carries in its metadata, where the panel put them.

They are read where no panel is connected to this process: in the cell that first mentions `sm_remote`, and in programs
without a panel. What the panel shows, and is not saved yet, is not in the file.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.home import find_home
from sm_remote.settings.trust import list_guarded, list_unconfirmed

logger = logging.getLogger("sm_remote")

METADATA_KEY = "sm_remote"
SCHEMA = 1
_LARGEST_BYTES = 256 << 20


def find_notebook_file(environ: Mapping[str, str]) -> Path | None:
    """The file of the notebook that this process runs; None outside of one, and where nobody says.

    Jupyter names it in the kernel's environment, VS Code in the notebook's own variables.
    """
    named = environ.get("JPY_SESSION_NAME", "")
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if not named and shell is not None:
        named = str(shell.user_ns.get("__vsc_ipynb_file__", ""))
    return Path(named) if named.endswith(".ipynb") and os.path.isabs(named) else None


def read_notebook_file(path: Path) -> dict[str, Any]:
    """The settings in a notebook's metadata, unchecked; nothing for a file without, or that is no notebook.

    Raises:
        ConfigError: They are of a version that is not known here.
    """
    try:
        status = os.stat(path)
    except OSError:
        return {}
    if status.st_size > _LARGEST_BYTES:
        return {}
    return dict(_read_version(path, status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=8)
def _read_version(path: Path, *_version: int) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        ours = content.get("metadata", {}).get(METADATA_KEY, {})
        schema, settings = ours.get("schema", SCHEMA), ours.get("settings", {})
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}  # half written, or no notebook: not ours to complain about
    if schema != SCHEMA or not isinstance(settings, dict):
        raise ConfigError(
            f"The settings in the notebook {path.name} are of another version ({schema!r:.40}).",
            why=f"This sm_remote knows version {SCHEMA}.",
            fix="Update sm_remote, or reset the settings in the panel.",
        )
    return settings


def take_confirmed(values: Mapping[str, Any], *, usual_instance_type: str | None, source: str) -> dict[str, Any]:
    """The settings of a notebook without those that a person still has to confirm, which are named in a warning."""
    guarded = list_guarded(values, usual_instance_type=usual_instance_type)
    held = list_unconfirmed(find_home(), guarded)
    if held:
        _warn(source, ", ".join(f"{name}={value!r:.80}" for name, value in sorted(held.items())))
    return {name: value for name, value in values.items() if name not in held}


@lru_cache(maxsize=64)
def _warn(source: str, shown: str) -> None:
    """Says once what was not taken."""
    logger.warning(
        "Not taken from the notebook %s until you confirm it: %s. Confirm it in the panel, or pass it to @remote(...).",
        source,
        shown,
    )
