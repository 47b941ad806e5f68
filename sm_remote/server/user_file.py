"""Writes single settings into the user's own file, and leaves everything else in it as it is, comments too."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.home import make_private, write_private
from sm_remote.settings.schema import check_names, check_value

_LOCK = threading.Lock()


def write_user_settings(path: Path, changes: Mapping[str, Any]) -> None:
    """Sets or, with None, removes settings. Values of a table are merged into it; None removes one of them.

    Raises:
        ConfigError: A name is unknown, a value is not accepted, or the file is no TOML; then nothing was written.
    """
    # One after the other: each reads the whole file and writes it anew.
    with _LOCK:
        _write(path, changes)


def _write(path: Path, changes: Mapping[str, Any]) -> None:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    check_names(changes, origin="The panel")
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (OSError, ValueError, TOMLKitError) as error:
        raise ConfigError(
            f"The settings in {path} cannot be changed.", why=f"{error}.", fix="Correct the file.", path=str(path)
        ) from error
    for name, value in changes.items():
        merged = _merge(document.get(name), value)
        if merged is None or merged == {}:
            document.pop(name, None)
            continue
        check_value(name, merged, origin="The panel")
        document[name] = merged
    make_private(path.parent)
    write_private(path, tomlkit.dumps(document))


def _merge(known: Any, value: Any) -> Any:
    """A table with some entries changed; any other value as it is."""
    if not isinstance(value, Mapping):
        return value
    entries = {**(dict(known) if isinstance(known, Mapping) else {}), **value}
    return {key: item for key, item in entries.items() if item is not None}
