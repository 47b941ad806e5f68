"""Fills a layer: uv fetches what has to be fetched, the rest is linked from what is installed here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sm_remote.capture.choice import Choice, Pin
from sm_remote.capture.fitting import TargetPlatform
from sm_remote.capture.layer import link_distributions
from sm_remote.capture.resolver import Question, explain_failure, platform_arguments, torch_arguments
from sm_remote.capture.uv_program import run_uv
from sm_remote.errors import DependencyInstallFailed

LOCK_FILE = "sm_remote-lock.json"
"""In every layer: what it holds."""
_LEFTOVERS = (".lock", ".gitignore", ".lockfile", "CACHEDIR.TAG")
_BUILD_FAILED = re.compile(
    r"failed to build|no wheels? with a matching|only-binary|not compatible with the", re.IGNORECASE
)
_WANTS_NETWORK = re.compile(r"network \w+ disabled|not found in the cache|offline", re.IGNORECASE)


class CannotBuildHere(DependencyInstallFailed):
    """A package has no wheel for the job's platform, and none can be built on this machine."""


def fill_layer(
    choice: Choice,
    target: Path,
    *,
    python: str,
    platform: TargetPlatform,
    has_gpu: bool | None,
    limit_s: float,
) -> None:
    """Puts everything that a choice carries into a directory.

    Args:
        choice: What and from where.
        target: An empty directory.
        python: The job's minor version.
        platform: The job's.
        has_gpu: Whether the job's machine has a GPU.
        limit_s: For uv.

    Raises:
        CaptureError: An installed file is gone.
        DependencyInstallFailed: A package cannot be had.
    """
    lines = [pin.line for pin in choice.fetched]
    if lines or choice.wheels:
        question = Question(lines=tuple(lines), minor=python, target=platform, options=choice.options, has_gpu=has_gpu)
        _install(question, choice, target, limit_s)
    link_distributions(choice.linked, target)
    (target / LOCK_FILE).write_bytes(choice.lock.to_json())


def _install(question: Question, choice: Choice, target: Path, limit_s: float) -> None:
    command = ["pip", "install", "--target", str(target), "--no-deps"]
    command += [*platform_arguments(question), *torch_arguments(choice.fetched), "-r", "-"]
    wheels = [wheel.path.as_uri() for wheel in choice.wheels]
    stdin = "\n".join([*choice.options, *question.lines, *wheels])
    count = len(question.lines) + len(wheels)
    doing = f"Installing {count} package{'s' if count != 1 else ''} ({_name_some(choice.fetched, choice)})"
    # Exact versions that uv has in its cache it finds there without asking the index: that halves such a run.
    answer = run_uv([*command, "--offline"], doing=doing, stdin=stdin, limit_s=limit_s)
    if answer.code and (_WANTS_NETWORK.search(answer.said) or not _BUILD_FAILED.search(answer.said)):
        answer = run_uv(command, doing=doing, stdin=stdin, limit_s=limit_s)
    if answer.code:
        error = explain_failure(question, answer)
        if _BUILD_FAILED.search(answer.said) and not question.target.is_host:
            raise CannotBuildHere(error.what, why=error.why, fix=error.fix, **error.facts)
        raise error
    shutil.rmtree(target / "bin", ignore_errors=True)  # scripts whose first line names this machine's Python
    for leftover in _LEFTOVERS:
        (target / leftover).unlink(missing_ok=True)


def _name_some(pins: tuple[Pin, ...], choice: Choice) -> str:
    names = [*(pin.name for pin in pins), *(wheel.name for wheel in choice.wheels)]
    return ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
