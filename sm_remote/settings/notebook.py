"""Settings of the notebook that runs in this process; they go above the environment and below a call's arguments.

The panel says what they are. Until it has, they are what the notebook's own file says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sm_remote.settings.notebook_file import find_notebook_file, read_notebook_file, take_confirmed
from sm_remote.settings.portable import check_notebook_values

_ORIGIN = "The notebook"

_settings: dict[str, Any] | None = None


def set_notebook_settings(values: Mapping[str, Any]) -> None:
    """Replaces the notebook's settings, and those of its file; an empty mapping removes them.

    Raises:
        ConfigError: A name is unknown or a value is not accepted; then nothing has changed.
    """
    global _settings
    _settings = check_notebook_values(values, origin=_ORIGIN)


def forget_notebook_settings() -> None:
    """Goes back to what the notebook's file says."""
    global _settings
    _settings = None


def read_notebook_settings(*, usual_instance_type: str | None = None) -> Mapping[str, Any]:
    """The notebook's settings, by name.

    Args:
        usual_instance_type: What would be used without them: a larger one in a notebook's file is not taken before it
            was confirmed.

    Raises:
        ConfigError: The notebook's file names an unknown setting, or a value that is not accepted.
    """
    if _settings is not None:
        return dict(_settings)
    path = find_notebook_file(os.environ)
    found = {} if path is None else read_notebook_file(path)
    if path is None or not found:
        return {}
    checked = check_notebook_values(found, origin=f"{_ORIGIN} {path.name}")
    return take_confirmed(checked, usual_instance_type=usual_instance_type, source=path.name)
