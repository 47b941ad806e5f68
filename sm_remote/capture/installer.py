"""Puts packages into a directory with uv, for images that are not made from the running interpreter.

uv reads its own settings; where the user has only told pip where packages are (pip.conf, PIP_INDEX_URL), the same is
passed on, with pip's meaning: the best version of all indexes counts.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sm_remote.capture.layer import KEY_LENGTH, publish_layer
from sm_remote.capture.requirements import Requirements
from sm_remote.errors import DependencyInstallFailed

_TAIL_LINES = 25
_PIP_LINE = re.compile(r"^(?P<section>[^.=]+)\.(?P<key>[^=]+)=(?P<value>.*)$")
_FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
}
_UV_ALSO = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def resolved_key(requirements: Requirements, *, python: str, platform: str | None) -> str:
    """The key of the layer into which these requirements are installed."""
    text = "\n".join(["sm_remote/resolved/v1", python, platform or sys.platform, requirements.text])
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def ensure_resolved_layer(
    requirements: Requirements, layers: Path, *, python: str, platform: str | None
) -> tuple[str, Path]:
    """Installs requirements into a layer unless one for the same text is there.

    Args:
        requirements: What to install, with all that it requires.
        layers: The directory of all layers.
        python: The job's minor version, ``3.11``.
        platform: The job's, as uv names it; None for this machine's own.

    Returns:
        The layer's key and its directory.

    Raises:
        DependencyInstallFailed: A package cannot be had; the message ends with what uv said.
    """
    key = resolved_key(requirements, python=python, platform=platform)
    return key, publish_layer(
        layers / key, lambda target: install(requirements, target, python=python, platform=platform)
    )


def install(requirements: Requirements, target: Path, *, python: str, platform: str | None) -> None:
    """Runs ``uv pip install --target``."""
    command = [_find_uv(), "pip", "install", "--target", str(target), "--python", sys.executable]
    command += ["--python-version", python, "--compile-bytecode", "--no-progress", "--color", "never"]
    if platform is not None:
        command += ["--python-platform", platform]
    command += ["-r", "-" if requirements.file is None else str(requirements.file)]
    answer = subprocess.run(
        command,
        input="\n".join(requirements.lines) if requirements.file is None else None,
        env=build_uv_environment(os.environ, read_pip_settings()),
        text=True,
        capture_output=True,
        check=False,
    )
    if answer.returncode:
        raise _explain_failure(requirements, answer.stderr, python=python, platform=platform)
    shutil.rmtree(target / "bin", ignore_errors=True)  # scripts whose first line names this machine's Python
    for leftover in (".lock", ".gitignore"):
        (target / leftover).unlink(missing_ok=True)


def _find_uv() -> str:
    try:
        import uv

        return os.fspath(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise DependencyInstallFailed(
            "The packages that the function needs could not be installed.",
            why="The program uv is not there.",
            fix="Run `pip install uv`.",
        )
    return found


def read_pip_settings() -> dict[str, str]:
    """What pip has been told, by files and variables, about where packages are."""
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], text=True, capture_output=True, check=False
    )
    return parse_pip_settings(answer.stdout)


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


def build_uv_environment(environ: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: its own settings where there are any, pip's where there are none."""
    made = dict(environ)
    for key, name in _FROM_PIP.items():
        value = pip.get(key)
        if not value or name in environ or _UV_ALSO.get(name, name) in environ:
            continue
        made[name] = value.replace(" ", ",") if name == "UV_FIND_LINKS" else value
    if "UV_INDEX" in made and "UV_INDEX" not in environ:
        made.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return made


def _explain_failure(
    requirements: Requirements, output: str, *, python: str, platform: str | None
) -> DependencyInstallFailed:
    tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
    failing = find_failing_requirement(requirements.lines, output)
    return DependencyInstallFailed(
        f"The requirement {failing!r} could not be installed for Python {python}"
        f"{f' on {platform}' if platform else ''}.",
        why=f"uv said:\n{tail}",
        fix="Correct the requirement or the index settings (UV_INDEX, pip.conf), or use an image that has the package. "
        "Nothing was uploaded or started.",
        requirement=failing,
    )


def find_failing_requirement(lines: tuple[str, ...], output: str) -> str:
    """The requirement that the installer's output speaks of first."""
    places: list[tuple[int, str]] = []
    for line in lines:
        name = re.split(r"[\s\[<>=!~;@]", line, maxsplit=1)[0]
        match = re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", output, re.IGNORECASE) if name else None
        if match is not None:
            places.append((match.start(), line))
    return min(places)[1] if places else ", ".join(lines)
