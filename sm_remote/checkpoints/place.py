"""Where checkpoints lie, and for whom: in a job, in a decorated function that runs here, or in any other program."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sm_remote.checkpoints.owner import Owner
from sm_remote.wire.layout import (
    CHECKPOINT_DIRECTORY,
    CHECKPOINT_DIRECTORY_VARIABLE,
    FUNCTION_VARIABLE,
    HOME_VARIABLE,
    RESUME_VARIABLE,
    RUN_VARIABLE,
    ml_path,
)

_ML = "/opt/ml/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a process keeps its checkpoints.

    Attributes:
        directory: What is synchronised with S3 in a job that has a CheckpointConfig.
        in_job: Whether this is a training job.
        synchronised: Whether it has a CheckpointConfig.
        function: Whose checkpoints they are; None where that is not known.
        run: The training job's name; outside of one something new each time.
        rank: Which of ``ranks`` processes this is: of torchrun's, or of the job's hosts.
        rank_names: What tells the directories of several ranks apart; empty where there is one.
        resume: Whether what earlier runs left unfinished is taken up.
        home: The notebook or the module that the function is from; None where neither is known.
        adopts: Whether somebody has said that it is taken up wherever the function was when it was saved.
    """

    directory: Path
    in_job: bool
    synchronised: bool
    function: str | None
    run: str
    rank: int
    rank_names: tuple[str, ...]
    resume: bool
    home: str | None = None
    adopts: bool = False

    @property
    def owner(self) -> Owner:
        """Whose they are."""
        return Owner(function=self.function, home=self.home)

    @property
    def ranks(self) -> int:
        """How many processes there are."""
        return max(1, len(self.rank_names))


def find_place(environ: Mapping[str, str], *, caller: str) -> Place:
    """Tells where this process keeps checkpoints; nothing is created.

    Args:
        environ: This process's environment.
        caller: Whose they are outside of jobs and decorated functions: ``module.function``.
    """
    job = environ.get("TRAINING_JOB_NAME")
    function = environ.get(FUNCTION_VARIABLE)
    rank, rank_names = _find_rank(environ)
    given = environ.get(CHECKPOINT_DIRECTORY_VARIABLE)
    if given:
        directory = Path(given)
    elif job:
        directory = Path(find_job_directory())
    else:
        home = import_module("sm_remote.home")  # the client's: a job never comes here
        function = function or caller
        directory = home.find_home(environ).data / "checkpoints" / _spell_directory(function)
    return Place(
        directory=directory,
        in_job=job is not None,
        synchronised=job is not None and _read_config("checkpointconfig.json") != {},
        function=function,
        run=environ.get(RUN_VARIABLE) or job or f"here-{secrets.token_hex(8)}",
        rank=rank,
        rank_names=rank_names,
        resume=environ.get(RESUME_VARIABLE) != "false",
        home=environ.get(HOME_VARIABLE) or None,
        adopts=environ.get(RESUME_VARIABLE) == "true",
    )


def find_job_directory() -> str:
    """Where a job finds its checkpoints: CheckpointConfig's LocalPath, or its default."""
    local = str(_read_config("checkpointconfig.json").get("LocalPath") or _ML + CHECKPOINT_DIRECTORY)
    # The process engine cannot mount anything at /opt/ml: `ml_path` knows what stands for it.
    return ml_path(*local.removeprefix(_ML).rstrip("/").split("/")) if local.startswith(_ML) else local


def find_caller(depth: int) -> str:
    """The function that many calls above this one's caller, as ``program.function``."""
    frame = sys._getframe(depth + 1)
    module = frame.f_globals.get("__name__", "")
    if module == "__main__":
        module = Path(frame.f_globals.get("__file__") or find_notebook(frame.f_globals) or "notebook").stem
    return f"{module}.{frame.f_code.co_name}".replace(".<module>", "")


def find_notebook(names: Mapping[str, Any]) -> str | None:
    """The file name of the notebook that a kernel works for; None elsewhere, and where it is not known.

    Jupyter names it in the kernel's environment, VS Code in the notebook's own variables.

    Args:
        names: The notebook's variables.
    """
    name = os.path.basename(os.environ.get("JPY_SESSION_NAME") or str(names.get("__vsc_ipynb_file__") or ""))
    return name if name.endswith(".ipynb") else None


def _spell_directory(function: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in function) or "-"


def _find_rank(environ: Mapping[str, str]) -> tuple[int, tuple[str, ...]]:
    """Source: torchrun sets RANK and WORLD_SIZE; resourceconfig.json lists the hosts."""
    try:
        rank, world = int(environ["RANK"]), int(environ["WORLD_SIZE"])
    except (KeyError, ValueError):
        resources = _read_config("resourceconfig.json") if "TRAINING_JOB_NAME" in environ else {}
        hosts = tuple(resources.get("hosts") or ())
        return (hosts.index(resources["current_host"]), hosts) if len(hosts) > 1 else (0, ())
    return (rank, tuple(f"rank-{each}" for each in range(world))) if world > 1 else (0, ())


def _read_config(name: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(ml_path("input", "config", name)).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
