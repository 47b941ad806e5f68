"""What ``dependencies=`` may be: ``"auto"``, None, a list of requirements, or a file that says them.

Files: requirements.txt (with what it includes), pyproject.toml and uv.lock, pylock.toml, environment.yml, a script or
the source of a cell with PEP 723 metadata. Each becomes lines that pip and uv understand, with absolute paths.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sm_remote.capture.credentials import redact
from sm_remote.capture.requirements import Requirements
from sm_remote.errors import ConfigError

_FIX = 'Use "auto", None, a list such as ["pandas>=2"], or the path of a requirements.txt, pyproject.toml, uv.lock, '
_FIX += "pylock.toml, environment.yml or a script with inline metadata."

Dependencies = Requirements | Sequence[str] | str | os.PathLike[str] | None


def read_dependencies(dependencies: Dependencies) -> Literal["auto"] | Requirements | None:
    """Reads the setting.

    Raises:
        ConfigError: It is of another kind, or the file cannot be read.
    """
    if isinstance(dependencies, Requirements):
        return dependencies
    if dependencies is None or dependencies == "":
        return None
    if dependencies in ("auto", "auto_capture"):
        return "auto"
    if isinstance(dependencies, (str, os.PathLike)):
        return _read_file(Path(dependencies).expanduser().absolute())
    if isinstance(dependencies, Sequence) and all(isinstance(line, str) for line in dependencies):
        return _read_list([line.strip() for line in dependencies if line.strip()])
    raise ConfigError(
        f"dependencies={redact(repr(dependencies)):.200} is not something to install.",
        why=f"It is a {type(dependencies).__name__}.",
        fix=_FIX,
    )


def _read_list(lines: list[str]) -> Requirements | None:
    from sm_remote.capture.requirements_file import split_options

    options, requirements = split_options(lines, Path.cwd())
    return Requirements(lines=tuple(requirements), options=tuple(options)) if requirements else None


def _read_file(path: Path) -> Requirements:
    try:
        return _choose_reader(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The requirements file {str(path)!r} cannot be read.", why=f"{error}", fix=_FIX, path=str(path)
        ) from error


def _choose_reader(path: Path) -> Requirements:
    if path.suffix in (".yml", ".yaml"):
        from sm_remote.capture.conda_file import read_conda_file

        return read_conda_file(path)
    if path.is_dir() or path.name in ("pyproject.toml", "uv.lock"):
        from sm_remote.capture.project_file import read_project

        return read_project(path if path.is_dir() else path.parent)
    if path.name.startswith("pylock.") and path.suffix == ".toml":
        from sm_remote.capture.pylock_file import read_pylock

        return read_pylock(path)
    if path.suffix == ".py":
        from sm_remote.capture.script_metadata import read_script

        return read_script(path)
    if path.name in ("Pipfile", "Pipfile.lock", "poetry.lock", "setup.py", "setup.cfg", "conda-lock.yml"):
        raise ConfigError(f"dependencies={str(path)!r} is of a kind that is not read.", fix=_FIX, path=str(path))
    from sm_remote.capture.requirements_file import read_requirements_file

    return read_requirements_file(path)
