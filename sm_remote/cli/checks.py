"""What the doctor looks at on this machine: each function judges one thing that was found. See `engine_checks` too."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from sm_remote.cli.units import render_bytes
from sm_remote.errors import RemoteError
from sm_remote.home import Discovery, Home

OLDEST_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 14)
LITTLE_SPACE = 5 * 2**30
NO_SPACE = 500 * 2**20


class State(str, Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warn"
    FAILURE = "FAIL"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that the doctor looked at.

    Attributes:
        name: A word or two.
        state: A failure is something that is needed and missing; a warning something that works, with less.
        detail: What was found.
        fix: The one command that mends it; empty where nothing needs mending.
    """

    name: str
    state: State
    detail: str
    fix: str = ""


def check_python(version: tuple[int, int, int], system: str, machine: str) -> Check:
    """Judges the interpreter (``sys.version_info``) and the platform (``platform.system()``)."""
    found = f"Python {'.'.join(map(str, version))} on {system} {machine}"
    if system == "Windows":
        return Check(name="python", state=State.FAILURE, detail=f"{found}; Linux is needed", fix="wsl --install")
    if version[:2] < OLDEST_PYTHON:
        return Check(
            name="python", state=State.FAILURE, detail=f"{found}; 3.10 or newer is needed", fix="uv venv --python 3.12"
        )
    if version[:2] > NEWEST_PYTHON:
        return Check(
            name="python",
            state=State.WARNING,
            detail=f"{found}: newer than those tried (up to 3.{NEWEST_PYTHON[1]})",
            fix=f"uv venv --python 3.{NEWEST_PYTHON[1]}",
        )
    return Check(name="python", state=State.OK, detail=found)


def check_home(home: Home, *, measure_free: Callable[[Path], int] | None = None) -> list[Check]:
    """Judges the directories of this user's state: writable, private, with room. Creates nothing."""
    measure = measure_free or (lambda path: shutil.disk_usage(path).free)
    directories = [("state", home.data)]
    if not home.cache.is_relative_to(home.data):
        directories.append(("cache", home.cache))
    return [_check_directory(name, directory, measure) for name, directory in directories]


def check_leftovers(home: Home) -> list[Check]:
    """Judges what ended jobs left that this user cannot remove; nothing is said of nothing."""
    try:
        count = len(os.listdir(home.leftovers))
    except OSError:  # mostly: there is none
        return []
    if not count:
        return []
    detail = f"files that containers wrote as another user, of {count} ended job{'s' if count > 1 else ''}"
    fix = f"sudo rm -rf {shlex.quote(str(home.leftovers))}"
    return [Check(name="leftovers", state=State.WARNING, detail=detail, fix=fix)]


def _check_directory(name: str, directory: Path, measure_free: Callable[[Path], int]) -> Check:
    # os.path's exists() says no, too, where a directory on the way may not be entered.
    existing = next(path for path in (directory, *directory.parents) if os.path.exists(path))
    # What lies above the directory is not ours to move or to take.
    elsewhere = None if existing == directory else "export SM_REMOTE_HOME=$HOME/.sm_remote"
    if not existing.is_dir():
        detail = f"{existing} is no directory"
        return Check(name=name, state=State.FAILURE, detail=detail, fix=elsewhere or f"mv {existing} {existing}.old")
    if not os.access(existing, os.W_OK | os.X_OK):
        detail = f"{directory} cannot be written: {existing} belongs to somebody else"
        return Check(name=name, state=State.FAILURE, detail=detail, fix=elsewhere or f"sudo chown -R $USER {existing}")
    free = measure_free(existing)
    room = f"{directory}, {render_bytes(free)} free"
    if free < NO_SPACE:
        return Check(name=name, state=State.FAILURE, detail=f"{room}: too little to run a job", fix=f"df -h {existing}")
    if existing == directory and stat.S_IMODE(directory.stat().st_mode) & 0o077:
        detail = f"{room}; others can look into it"
        return Check(name=name, state=State.WARNING, detail=detail, fix=f"chmod 700 {directory}")
    if free < LITTLE_SPACE:
        detail = f"{room}: little for models and data"
        return Check(name=name, state=State.WARNING, detail=detail, fix=f"df -h {existing}")
    return Check(name=name, state=State.OK, detail=room)


def check_settings(resolve: Callable[[], Any], target: str | None = None) -> tuple[Check, Any]:
    """Judges files and variables with settings; returns the settings too, or None where they cannot be read.

    Args:
        resolve: Reads them.
        target: What is looked at whatever they say; None for theirs.
    """
    try:
        settings = resolve()
    except RemoteError as error:
        detail = " ".join(part for part in (error.what, error.why, error.fix) if part)
        return Check(name="settings", state=State.FAILURE, detail=detail), None
    chosen = target or settings.target
    engine = f", engine {settings.engine!r}" if chosen == "local" else ""
    asked = "" if chosen == settings.target else f" (--target; the settings say {settings.target!r})"
    return Check(name="settings", state=State.OK, detail=f"target {chosen!r}{engine}{asked}"), settings


def check_service(
    found: tuple[Discovery, Mapping[str, Any]] | None, *, version: str, docker_answers: bool, wanted: str
) -> Check:
    """Judges the running local training service, if one runs; none is as good.

    Args:
        found: Where it is, and its own status.
        version: Of this program.
        docker_answers: Whether a service that started now could use Docker.
        wanted: The setting ``engine``.
    """
    if found is None:
        return Check(name="service", state=State.OK, detail="does not run; the first local job starts it")
    discovery, status = found
    where = f"process {discovery.pid} with the engine {status.get('Engine')!r}, on 127.0.0.1:{discovery.port} only"
    trouble = ""
    if status.get("Version") != version:
        trouble = f"it is of version {status.get('Version')}, this is {version}"
    elif status.get("Engine") == "process" and docker_answers and wanted == "auto":
        trouble = "it started when Docker did not answer, and now it does"
    if trouble:
        fix = "sm-remote service stop"
        return Check(name="service", state=State.WARNING, detail=f"{where}; {trouble}", fix=fix)
    return Check(name="service", state=State.OK, detail=where)


def check_uv(program: str | None) -> Check:
    """Judges uv, which installs packages where the image's Python is not this one."""
    if program is None:
        detail = "not found; packages cannot be installed for other images and for SageMaker"
        return Check(name="uv", state=State.WARNING, detail=detail, fix="python -m pip install uv")
    return Check(name="uv", state=State.OK, detail=program)


def check_notebook(missing: Sequence[str]) -> Check:
    """Judges the packages that only notebooks need."""
    if missing:
        detail = f"{', '.join(missing)} not installed; only notebooks need that"
        return Check(name="notebook", state=State.OK, detail=detail, fix="python -m pip install 'sm-remote[lab]'")
    return Check(name="notebook", state=State.OK, detail="JupyterLab and its widgets are installed")


def check_certificates(count: int, file: str | None) -> Check:
    """Judges the certificate authorities that this Python trusts; AWS and package indexes need them."""
    if count == 0 and file is None:
        detail = "this Python trusts no certificate authority: AWS and package indexes cannot be reached"
        return Check(
            name="certificates",
            state=State.WARNING,
            detail=detail,
            fix='python -m pip install certifi && export SSL_CERT_FILE="$(python -m certifi)"',
        )
    return Check(name="certificates", state=State.OK, detail=file or f"{count} authorities")
