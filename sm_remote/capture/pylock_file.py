"""Reads a ``pylock.toml``, the lock file that all installers share. Source: PEP 751.

Each package becomes a requirement with its exact version, or with the place that the lock names. Which files there are
of it for the job's platform is found where every other requirement is: the indexes that the lock was made with may be
others than this machine may use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sm_remote.capture.project_file import parse_toml
from sm_remote.capture.requirements import Requirements
from sm_remote.errors import ConfigError


def read_pylock(path: Path) -> Requirements:
    """Reads a lock file.

    Raises:
        OSError: It cannot be read.
        ConfigError: It is no lock file of version 1.
    """
    facts = parse_toml(path.read_text(encoding="utf-8"), str(path))
    if str(facts.get("lock-version", "")).partition(".")[0] != "1" or not isinstance(facts.get("packages"), list):
        raise ConfigError(
            f"{path} is no lock file that can be read.",
            why=f"Its lock-version is {facts.get('lock-version')!r}; 1.0 is known.",
            fix="Make it anew, for instance with `uv export --format pylock.toml`.",
            path=str(path),
        )
    return Requirements(
        lines=tuple(_list_lines(facts["packages"], path)),
        requires_python=str(facts.get("requires-python", "")),
        origin=str(path),
        directory=path.parent,
    )


def _list_lines(packages: list[Mapping[str, Any]], path: Path) -> Iterator[str]:
    for one in packages:
        place = _find_place(one, path)
        marker = f" ; {one['marker']}" if one.get("marker") else ""
        if place is not None:
            yield f"{one['name']} @ {place}{marker}"
        elif "version" in one:
            yield f"{one['name']}=={one['version']}{marker}"
        else:
            raise ConfigError(
                f"{path} has {one.get('name', 'a package')!r} without a version and without a place.",
                fix="Make it anew.",
                path=str(path),
            )


def _find_place(one: Mapping[str, Any], path: Path) -> str | None:
    if "vcs" in one:
        vcs = one["vcs"]
        folder = f"#subdirectory={vcs['subdirectory']}" if vcs.get("subdirectory") else ""
        return f"{vcs['type']}+{vcs.get('url') or (path.parent / vcs['path']).as_uri()}@{vcs['commit-id']}{folder}"
    for kind in ("directory", "archive"):
        if kind in one:
            where = one[kind]
            return str(where["url"]) if where.get("url") else (path.parent / where["path"]).resolve().as_uri()
    return None
