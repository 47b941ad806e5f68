"""What pip has been told about where packages are, for a user who has told nobody else."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_PIP_LINE = re.compile(r"^(?P<section>[^.=]+)\.(?P<key>[^=]+)=(?P<value>.*)$")


def read_pip_settings() -> dict[str, str]:
    """What pip has been told, by files and variables, about where packages are."""
    told = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("PIP_")))
    return _read_pip_settings(told)


@functools.lru_cache(maxsize=4)
def _read_pip_settings(told: tuple[tuple[str, str], ...]) -> dict[str, str]:
    if not any(path.is_file() and path.stat().st_size for path in list_pip_files(os.environ)):
        # Starting pip to hear that takes longer than resolving a set.
        return {name.removeprefix("PIP_").lower().replace("_", "-"): value for name, value in told}
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], text=True, capture_output=True, check=False
    )
    return parse_pip_settings(answer.stdout)


def list_pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks for its settings. Source: pip's documentation, "Configuration", "Location"."""
    own = environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    user, library = Path("~").expanduser(), Path("Library", "Application Support", "pip", "pip.conf")
    shared = [Path(each) for each in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep) if each]
    home = Path(environ.get("XDG_CONFIG_HOME") or user / ".config")
    return [
        *(folder / "pip" / "pip.conf" for folder in (*shared, home)),
        *(Path("/etc/pip.conf"), "/" / library, user / library, user / ".pip" / "pip.conf"),
        *(Path(sys.prefix, "pip.conf"), *([Path(own)] if own else [])),
    ]


def parse_pip_settings(text: str) -> dict[str, str]:
    """Reads the output of ``pip config list``: ``install`` outranks ``global``, and variables outrank both."""
    ranked: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in text.splitlines():
        match = _PIP_LINE.match(line)
        if match is None or match["section"] not in ranked:
            continue
        try:
            value = ast.literal_eval(match["value"])
        except (ValueError, SyntaxError):
            continue
        ranked[match["section"]][match["key"]] = " ".join(str(value).split())
    return {**ranked["global"], **ranked["install"], **ranked[":env:"]}
