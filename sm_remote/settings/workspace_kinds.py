"""The kinds of values that say what a job's workspace holds and what is run in it before the function."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from traitlets import TraitError

from sm_remote.settings.kinds import Kind


class Commands(Kind):
    """Lines for a shell, each a text that is not empty."""

    accepts = "a list of shell commands such as ['apt-get update', 'apt-get install -y ffmpeg']"

    def __init__(self, *, help: str) -> None:
        super().__init__((), help=help)

    def _check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise TraitError(f"Its type is {type(value).__name__}")
        if not all(isinstance(item, str) and item.strip() for item in value):
            raise TraitError("One of them is empty or not a text")
        if any("\0" in item for item in value):
            raise TraitError("One of them holds a NUL character")
        return tuple(value)

    def _read_text(self, text: str) -> Any:
        return json.loads(text) if text.lstrip().startswith("[") else (text,)


class FilePath(Kind):
    """The path of a file; whether it is there is seen when it is used."""

    accepts = "the path of a file"

    def __init__(self, *, help: str) -> None:
        super().__init__(None, allow_none=True, help=help)

    def _check(self, value: Any) -> str:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or not value.strip():
            raise TraitError("It is empty" if isinstance(value, str) else f"Its type is {type(value).__name__}")
        return value


class FileFilter(Kind):
    """What decides which files of the working directory stay behind; `capture` gives it its meaning."""

    accepts = (
        "a function of a folder and its names, as shutil.copytree takes it for `ignore`, "
        "a CustomFileFilter, or a list of patterns for names"
    )

    def __init__(self, *, help: str) -> None:
        super().__init__(None, allow_none=True, help=help)

    def _check(self, value: Any) -> Any:
        if callable(value) or hasattr(value, "ignore_name_patterns"):
            return value
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise TraitError(f"Its type is {type(value).__name__}")
        if not all(isinstance(item, str) and item for item in value):
            raise TraitError("One of the patterns is empty or not a text")
        return tuple(value)

    def _read_text(self, text: str) -> Any:
        return json.loads(text)
