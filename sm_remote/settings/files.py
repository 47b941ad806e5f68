"""Reads settings from the user's file and the project's, once for each version of a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.settings.input_kinds import anchor_paths
from sm_remote.settings.schema import check_values

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT_FILE = "pyproject.toml"


def find_user_file(environ: Mapping[str, str]) -> Path:
    """Tells where the user's file is or would be."""
    home = environ.get("SM_REMOTE_HOME")
    if home:
        return Path(home).expanduser().absolute() / "config.toml"
    config = environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    root = Path(config) if config and os.path.isabs(config) else Path(environ.get("HOME") or Path.home(), ".config")
    return root / "sm_remote" / "config.toml"


def find_project_file(cwd: str | os.PathLike[str] | None = None) -> Path | None:
    """Finds the nearest pyproject.toml, from a directory upwards."""
    try:
        directory = os.path.abspath(cwd if cwd is not None else os.getcwd())
    except FileNotFoundError:  # the working directory was deleted
        return None
    while True:
        candidate = os.path.join(directory, PROJECT_FILE)
        if os.path.isfile(candidate):
            return Path(candidate)
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def read_user_file(path: Path) -> Mapping[str, Any]:
    """Reads the settings in the user's file; no file, no settings.

    Raises:
        ConfigError: It cannot be read, or holds what is no setting or no accepted value.
    """
    return _read(path, table=())


def read_project_file(path: Path | None) -> Mapping[str, Any]:
    """Reads the settings in ``[tool.sm_remote]``; no file, no settings.

    Raises:
        ConfigError: It cannot be read, or holds what is no setting or no accepted value.
    """
    return {} if path is None else _read(path, table=("tool", "sm_remote"))


def _read(path: Path, *, table: tuple[str, ...]) -> Mapping[str, Any]:
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _forbidden(path, error) from error
    return _read_version(path, table, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=32)
def _read_version(path: Path, table: tuple[str, ...], *_version: int) -> Mapping[str, Any]:
    content = _parse_toml(path)
    for name in table:
        content = content.get(name, {})
        if not isinstance(content, dict):
            raise _unreadable(path, f"[{'.'.join(table)}] is not a table")
    values = check_values(content, origin=str(path))
    return _resolve_paths(values, path.parent)


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _forbidden(path, error) from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise _unreadable(path, str(error)) from error


def _resolve_paths(values: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Makes a path in a file relative to that file, wherever it is read from."""
    listed = values.get("dependencies")
    if isinstance(listed, str) and listed != "auto":
        values["dependencies"] = str(directory / Path(listed).expanduser())
    script = values.get("pre_execution_script")
    if script is not None:
        values["pre_execution_script"] = str(directory / Path(script).expanduser())
    if "inputs" in values:
        values["inputs"] = anchor_paths(values["inputs"], directory)
    return values


def _forbidden(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"The settings in {path} cannot be read.",
        why=f"{error.strerror or error}.",
        fix=f"Let yourself read it: `ls -ld {path.parent} {path}` shows whose it is.",
        path=str(path),
    )


def _unreadable(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"The settings in {path} cannot be read.",
        why=f"{reason}.",
        fix="Correct the file, or remove it.",
        path=str(path),
    )
