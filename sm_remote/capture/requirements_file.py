"""Reads requirements.txt, with the files that it includes, into requirements and options with absolute paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sm_remote.capture.requirements import Requirements
from sm_remote.errors import ConfigError

_INCLUDE = re.compile(r"^(?:-r|--requirement)(?:[\s=]+|(?=[^\s-]))(?P<path>.+)$")
_CONSTRAINT = re.compile(r"^(?:-c|--constraint)(?:[\s=]+|(?=[^\s-]))(?P<path>.+)$")
_FIND_LINKS = re.compile(r"^(?:-f|--find-links)[\s=]+(?P<path>.+)$")
_EDITABLE = re.compile(r"^(?:-e|--editable)[\s=]+(?P<what>.+)$")
_EGG = re.compile(r"[#&]egg=(?P<name>[A-Za-z0-9._\-]+)(?:\[[^\]]*\])?")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_CONTINUED = re.compile(r"\\\r?\n")


def read_requirements_file(path: Path) -> Requirements:
    """Reads a requirements file.

    Raises:
        OSError: It, or a file that it includes, cannot be read.
        UnicodeDecodeError: It is no text.
    """
    options: list[str] = []
    lines: list[str] = []
    for folder, line in _logical_lines(path, set()):
        found_options, found = split_options([line], folder)
        options += found_options
        lines += found
    return Requirements(
        lines=tuple(lines), options=tuple(dict.fromkeys(options)), origin=str(path), directory=path.parent
    )


def _logical_lines(path: Path, seen: set[Path]) -> Iterator[tuple[Path, str]]:
    if path in seen:
        return
    seen.add(path)
    for raw in _CONTINUED.sub(" ", path.read_text(encoding="utf-8-sig")).splitlines():
        line = _COMMENT.sub("", raw).strip()
        include = _INCLUDE.match(line)
        if include:
            yield from _logical_lines((path.parent / include["path"].strip()).resolve(), seen)
        elif line:
            yield path.parent, line


def split_options(lines: Iterable[str], folder: Path) -> tuple[list[str], list[str]]:
    """Tells options from requirements, and makes paths absolute.

    Args:
        lines: Of a requirements file, or of a list.
        folder: Against which relative paths are meant.

    Returns:
        Options and requirements; an editable requirement becomes an ordinary one, since a job edits nothing.

    Raises:
        ConfigError: An editable requirement says no name.
    """
    options: list[str] = []
    requirements: list[str] = []
    for line in lines:
        editable = _EDITABLE.match(line)
        if editable:
            requirements.append(_absolute(_name_editable(editable["what"].strip()), folder))
        elif line.startswith("-"):
            options.append(_absolute_option(line, folder))
        else:
            requirements.append(_absolute(line, folder))
    return options, requirements


def _absolute_option(line: str, folder: Path) -> str:
    for pattern, spelling in ((_CONSTRAINT, "--constraint"), (_FIND_LINKS, "--find-links")):
        match = pattern.match(line)
        if match and "://" not in match["path"]:
            return f"{spelling} {(folder / match['path'].strip()).resolve()}"
    return line


def _name_editable(what: str) -> str:
    if "://" not in what or what.startswith("file:"):
        return what
    egg = _EGG.search(what)
    if egg is None:
        raise ConfigError(
            f"The requirement '-e {what.partition('://')[0]}://...' says no name.",
            why="In a job it is installed like any other, and that needs its name.",
            fix="Write it as 'name @ git+https://...'.",
        )
    return f"{egg['name']} @ {_EGG.sub('', what)}"


def _absolute(line: str, folder: Path) -> str:
    """Spells a requirement that is a path so that it means the same everywhere on this machine."""
    text, separator, marker = line.partition(";")
    path = text.strip()
    if "://" in path or "@" in path or not _looks_like_path(path, folder):
        return line
    extras = re.search(r"\[[^\]]*\]$", path)
    bare = path[: extras.start()] if extras else path
    whole = os.path.abspath(folder / Path(bare).expanduser())
    return f"{whole}{extras[0] if extras else ''}{separator}{marker}"


def _looks_like_path(text: str, folder: Path) -> bool:
    return text.startswith((".", "/", "~")) or text.endswith((".whl", ".tar.gz", ".zip")) or "/" in text
