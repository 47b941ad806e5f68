"""Reads a script's file as something that can be captured like any function."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from pathlib import Path
from types import FunctionType

from sm_remote.errors import ConfigError
from sm_remote.runtime.script import Script


def read_script(path: Path, arguments: Iterable[str]) -> Script:
    """Compiles a script; nothing of it is run here.

    Raises:
        ConfigError: It is no Python.
    """
    try:
        text = path.read_text(encoding="utf-8")
        code = compile(text, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{path} cannot be run.", why=f"{type(error).__name__}: {error}") from error
    linecache.checkcache(str(path))
    body = FunctionType(code, {"__name__": "__main__", "__file__": str(path)}, path.stem)
    return Script(path.stem, body, tuple(arguments))
