"""Inline script metadata: dependencies that a script, or a cell, says in a comment of its own.

Source: PEP 723, "Inline script metadata".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sm_remote.capture.project_file import apply_sources, index_options, parse_toml
from sm_remote.capture.requirements import Requirements
from sm_remote.capture.requirements_file import split_options
from sm_remote.errors import ConfigError

_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)\s*$\s(?P<content>(^#(| .*)$\s)+)^# ///\s*$")


def read_cell_metadata(source: str, *, origin: str = "the cell's metadata") -> Requirements | None:
    """Reads the dependencies that the source of a cell says.

    Returns:
        None where it has no such block; a block without dependencies asks for no packages, but may ask for a Python.

    Raises:
        ConfigError: The block is no TOML, or there are two.
    """
    blocks = [match for match in _BLOCK.finditer(source + "\n") if match["type"] == "script"]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise ConfigError(f"{origin} has {len(blocks)} blocks '# /// script'.", fix="Keep one.")
    text = "".join(
        line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(keepends=True)
    )
    return _from_facts(parse_toml(text, origin), origin)


def read_script(path: Path) -> Requirements:
    """Reads the dependencies of a script file.

    Raises:
        OSError: It cannot be read.
        ConfigError: It says none.
    """
    found = read_cell_metadata(path.read_text(encoding="utf-8"), origin=str(path))
    if found is None:
        raise ConfigError(
            f"{str(path)!r} has no inline metadata.",
            why="A Python file says its dependencies in a block '# /// script' (PEP 723).",
            fix='Add one (`uv add --script`), or use "auto".',
            path=str(path),
        )
    return found


def _from_facts(facts: dict[str, Any], origin: str) -> Requirements:
    lines = facts.get("dependencies", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ConfigError(f"The dependencies of {origin} are no list of texts.", fix='Write dependencies = ["pandas"].')
    tool = facts.get("tool", {}).get("uv", {})
    folder = Path(origin).parent if Path(origin).is_absolute() else Path.cwd()
    spelled = apply_sources(lines, tool.get("sources", {}), origin)
    _, requirements = split_options(spelled, folder)
    return Requirements(
        lines=tuple(requirements),
        options=tuple(index_options(tool)),
        requires_python=facts.get("requires-python", ""),
        origin=origin,
        directory=folder,
    )
