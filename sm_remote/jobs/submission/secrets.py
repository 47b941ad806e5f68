"""What is refused of a call's settings so that no secret stands where others can read it, and so that a job can."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from sm_remote.aws.secrets import check_variables
from sm_remote.capture.call import TargetPython
from sm_remote.capture.distributions import normalise
from sm_remote.errors import ConfigError
from sm_remote.settings import ResolvedSettings
from sm_remote.settings.leaks import advise, refuse_leaks, refuse_leaks_of_commands
from sm_remote.wire.secret import parse_reference

logger = logging.getLogger("sm_remote")


def check_secrets(settings: ResolvedSettings) -> None:
    """Refuses what looks like a secret and would stand in the request, and a secret that the job could not be given.

    Raises:
        ConfigError: It says what to write instead.
    """
    texts = {
        "environment_variables": settings.environment_variables,
        "hyperparameters": settings.hyperparameters,
        "tags": settings.tags,
        "extra_request": settings.extra_request.get("HyperParameters") or {},
    }
    refuse_leaks(texts, target=settings.target, passed=settings.not_secret)
    refuse_leaks_of_commands(_read_commands(settings), target=settings.target, passed=settings.not_secret)
    _check_references(settings)


def _read_commands(settings: ResolvedSettings) -> dict[str, str]:
    """What runs before the function, by its place. A script that cannot be read is refused where it is sent."""
    texts = {f"pre_execution_commands[{index}]": text for index, text in enumerate(settings.pre_execution_commands)}
    if settings.pre_execution_script is not None:
        try:
            data = Path(settings.pre_execution_script).expanduser().read_bytes()
        except OSError:
            return texts
        texts["pre_execution_script"] = data.decode("utf-8", "replace")
    return texts


def _check_references(settings: ResolvedSettings) -> None:
    if settings.target == "local":
        check_variables(settings.secrets)
        return
    for name, text in settings.secrets.items():
        variable = parse_reference(text).variable
        if variable:
            raise ConfigError(
                f"secrets[{name!r}] is {text!r}, and a job on SageMaker cannot get this process's variables; nothing "
                "was sent.",
                why="What travels in a request stays in its record. The job reads it from Secrets Manager itself.",
                fix=f"{advise(variable, settings.target)}.",
                name=name,
            )


def check_reader(settings: ResolvedSettings, python: TargetPython, requirements: Iterable[str]) -> None:
    """Makes sure that a job on SageMaker has boto3 to read its secrets with.

    Args:
        settings: Of the call.
        python: Of the image, with what is known to be installed there.
        requirements: The packages that travel.

    Raises:
        ConfigError: It has none.
    """
    if not settings.secrets or settings.target == "local":
        return
    if any(_names_boto3(line) for line in requirements) or "boto3" in (python.installed or {}):
        return
    if python.installed is None or not python.knows_all:
        logger.warning(
            "Whether the image %s has boto3, which reads the job's secrets, cannot be seen from here. To be sure, have "
            "it travel: `import boto3` in the function.",
            python.image or "of the job",
        )
        return
    raise ConfigError(
        "The job could not read its secrets: its image has no boto3, and none travels; nothing was submitted.",
        why="On SageMaker a job reads its secrets from Secrets Manager itself, so that nobody else has to know them.",
        fix="Write `import boto3` in the function, which has it travel, or use an image that has it.",
        image=python.image,
    )


def _names_boto3(line: str) -> bool:
    try:
        return normalise(Requirement(line).name) == "boto3"
    except InvalidRequirement:  # a path or a URL
        return False


def check_changes(changes: Mapping[str, Any], *, target: str) -> None:
    """The same for what a replay changes of its job.

    Raises:
        ConfigError: A value looks like a secret.
    """
    names = ("environment_variables", "hyperparameters", "tags")
    texts = {name: changes[name] for name in names if name in changes}
    refuse_leaks(texts, target=target, passed=changes.get("not_secret", ()))
