"""Reads the dependencies of a project: of its uv.lock where there is one, else as its pyproject.toml says them.

Nothing of the project is built or written here: uv exports the lock as it is, and sources of ``[tool.uv.sources]``
are spelled as requirements.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sm_remote.capture.requirements import Requirements
from sm_remote.capture.requirements_file import split_options
from sm_remote.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_project(folder: Path) -> Requirements:
    """Reads the dependencies of the project in a folder.

    Raises:
        OSError: There is no pyproject.toml.
        ConfigError: It, or its uv.lock, says no dependencies that can be used.
    """
    path = folder / "pyproject.toml"
    if (folder / "uv.lock").is_file():
        facts = parse_toml(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else {}
        return _read_locked(folder, facts)
    return _read_declared(folder, parse_toml(path.read_text(encoding="utf-8"), str(path)), str(path))


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """Parses TOML.

    Raises:
        ConfigError: It is none.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is no TOML.", why=f"{error}", fix="Correct it.", path=origin) from error


def _read_locked(folder: Path, facts: Mapping[str, Any]) -> Requirements:
    from sm_remote.capture.uv_program import run_uv

    origin = str(folder / "uv.lock")
    arguments = ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-header", "--no-annotate"]
    answer = run_uv([*arguments, "--project", str(folder)], doing=f"Reading {origin}", cwd=folder)
    if answer.code:
        raise ConfigError(
            f"{origin} cannot be used.", why=f"uv said:\n{answer.tail}", fix="Make it anew: `uv lock`.", path=origin
        )
    lines = [line.strip() for line in answer.output.splitlines() if line.strip() and not line.startswith("#")]
    options, requirements = split_options(lines, folder)
    return Requirements(
        lines=tuple(requirements),
        options=(*options, *index_options(facts.get("tool", {}).get("uv", {}))),
        requires_python=facts.get("project", {}).get("requires-python", ""),
        origin=origin,
        directory=folder,
    )


def _read_declared(folder: Path, facts: Mapping[str, Any], origin: str) -> Requirements:
    project = facts.get("project")
    if not isinstance(project, Mapping) or "dependencies" in project.get("dynamic", ()):
        raise ConfigError(
            f"{origin} says no dependencies that can be read without building it.",
            why="It has no [project] table with dependencies, or calls them dynamic.",
            fix='Run `uv lock` beside it, list them in a requirements.txt, or use "auto".',
            path=origin,
        )
    tool = facts.get("tool", {}).get("uv", {})
    lines = apply_sources(project.get("dependencies", []), tool.get("sources", {}), origin)
    _, requirements = split_options(lines, folder)
    return Requirements(
        lines=tuple(requirements),
        options=tuple(index_options(tool)),
        requires_python=project.get("requires-python", ""),
        origin=origin,
        directory=folder,
    )


def index_options(tool: Mapping[str, Any]) -> list[str]:
    """The index settings of a ``[tool.uv]`` table, as options of a requirements file."""
    found = [
        ("--index-url" if one.get("default") else "--extra-index-url", one["url"]) for one in tool.get("index", ())
    ]
    found += [("--index-url", tool["index-url"])] if "index-url" in tool else []
    found += [("--extra-index-url", url) for url in tool.get("extra-index-url", ())]
    found += [("--find-links", url) for url in tool.get("find-links", ())]
    return [f"{name} {value}" for name, value in found]


def apply_sources(lines: list[str], sources: Mapping[str, Any], origin: str) -> Iterator[str]:
    """Spells requirements that have a source of their own (git, url, path) as such.

    Raises:
        ConfigError: A source can only be had with a uv.lock.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    from sm_remote.capture.distributions import normalise

    by_name = {normalise(name): source for name, source in sources.items()}
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement as error:
            raise ConfigError(f"{origin} names {line!r}, which is no requirement.", why=str(error)) from error
        where = _spell_source(by_name.get(normalise(one.name)), one.name, origin)
        if where is None:
            yield line
        else:
            extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
            yield f"{one.name}{extras} @ {where}{f' ; {one.marker}' if one.marker else ''}"


def _spell_source(source: Any, name: str, origin: str) -> str | None:
    if source is None or (isinstance(source, Mapping) and "index" in source):
        return None
    if isinstance(source, Mapping) and "git" in source:
        version = source.get("rev") or source.get("tag") or source.get("branch")
        folder = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        return f"git+{source['git']}{f'@{version}' if version else ''}{folder}"
    if isinstance(source, Mapping) and "url" in source:
        return str(source["url"])
    if isinstance(source, Mapping) and "path" in source:
        return (Path(origin).parent / Path(source["path"]).expanduser()).resolve().as_uri()
    raise ConfigError(
        f"{origin} takes {name} from a place that only a lock says (a workspace, or one of several sources).",
        fix="Run `uv lock` beside it: the lock is then used.",
        path=origin,
    )
