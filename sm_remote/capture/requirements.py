"""What ``dependencies=`` may be: ``"auto"``, None, a list of requirements, or the path of a requirements file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sm_remote.errors import ConfigError

Dependencies = Sequence[str] | str | os.PathLike[str] | None
_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]+(?P<path>\S+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """Packages to install by name.

    Attributes:
        lines: Each a requirement, as pip takes it.
        file: The file they come from, if they come from one; it is handed to the installer as it is.
        text: Everything that decides what gets installed: the file's text and that of the files it includes.
    """

    lines: tuple[str, ...]
    text: str
    file: Path | None = None


def read_dependencies(dependencies: Dependencies) -> Literal["auto"] | Requirements | None:
    """Reads the setting.

    Raises:
        ConfigError: It is of another kind, or the file cannot be read.
    """
    if dependencies is None or dependencies == "":
        return None
    if dependencies in ("auto", "auto_capture"):
        return "auto"
    if isinstance(dependencies, (str, os.PathLike)):
        return _read_file(Path(dependencies).expanduser().absolute())
    if isinstance(dependencies, Sequence) and all(isinstance(line, str) for line in dependencies):
        lines = tuple(line.strip() for line in dependencies if line.strip())
        return Requirements(lines=lines, text="\n".join(sorted(lines))) if lines else None
    raise ConfigError(
        f"dependencies={dependencies!r:.200} is not something to install.",
        why=f"It is a {type(dependencies).__name__}.",
        fix='Use "auto", None, a list such as ["pandas>=2"], or the path of a requirements.txt.',
    )


def _read_file(path: Path) -> Requirements:
    if path.suffix in (".yml", ".yaml"):
        raise ConfigError(
            f"dependencies={str(path)!r} is a conda environment file.",
            why="Jobs get their packages from Python package indexes.",
            fix="List them in a requirements.txt, or use an image that has the environment.",
        )
    try:
        text = "\n".join(_read_with_includes(path, set()))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The requirements file {str(path)!r} cannot be read.",
            why=f"{error}",
            fix='Give the path of a requirements.txt, or a list such as ["pandas>=2"], or "auto".',
            path=str(path),
        ) from error
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return Requirements(
        lines=tuple(line for line in lines if line and not line.startswith(("#", "-"))), text=text, file=path
    )


def _read_with_includes(path: Path, seen: set[Path]) -> Iterator[str]:
    if path in seen:
        return
    seen.add(path)
    text = path.read_text(encoding="utf-8")
    yield text
    for match in _INCLUDE.finditer(text):
        yield from _read_with_includes((path.parent / match["path"]).resolve(), seen)
