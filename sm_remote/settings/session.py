"""Settings that ``%remote`` set in this process; they go above the notebook's and below a call's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.settings.schema import check_values

_settings: dict[str, Any] = {}


def set_session_settings(values: Mapping[str, Any]) -> None:
    """Replaces the session's settings; an empty mapping removes them.

    Raises:
        ConfigError: A name is unknown or a value is not accepted; then nothing has changed.
    """
    global _settings
    _settings = check_values(values, origin="%remote")


def read_session_settings() -> Mapping[str, Any]:
    """The session's settings, by name."""
    return dict(_settings)
