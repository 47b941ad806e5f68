"""What is refused of a call's settings so that no secret stands where others can read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.settings import ResolvedSettings
from sm_remote.settings.leaks import refuse_leaks


def check_secrets(settings: ResolvedSettings) -> None:
    """Refuses what looks like a secret and would stand in the request.

    Raises:
        ConfigError: A value looks like one; it says what to write instead.
    """
    texts = {
        "environment_variables": settings.environment_variables,
        "hyperparameters": settings.hyperparameters,
        "tags": settings.tags,
        "extra_request": settings.extra_request.get("HyperParameters") or {},
    }
    refuse_leaks(texts, target=settings.target, passed=settings.not_secret)


def check_changes(changes: Mapping[str, Any], *, target: str) -> None:
    """The same for what a replay changes of its job.

    Raises:
        ConfigError: A value looks like a secret.
    """
    names = ("environment_variables", "hyperparameters", "tags")
    texts = {name: changes[name] for name in names if name in changes}
    refuse_leaks(texts, target=target, passed=changes.get("not_secret", ()))
