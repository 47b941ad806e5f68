"""What a call's settings say of spot capacity and checkpoints."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sm_remote.capture.function import display_name, find_module
from sm_remote.checkpoints.location import CheckpointLocation
from sm_remote.checkpoints.owner import Owner
from sm_remote.errors import ConfigError
from sm_remote.jobs.creation.tags import find_origin
from sm_remote.settings import ResolvedSettings
from sm_remote.spec import Checkpoints, Spot, TrainingJobSpec
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.layout import CHECKPOINT_DIRECTORY, CHECKPOINT_WATCH_VARIABLE, HOME_VARIABLE, RESUME_VARIABLE

logger = logging.getLogger("sm_remote")

WAIT_FACTOR = 1.5
"""What max_wait_time_in_seconds is filled in with, as a multiple of max_runtime_in_seconds."""
LONGEST_HOME = 256
LONGEST_WAIT_S = 30 * 86400
"""Source: API_StoppingCondition: a job cannot take longer than 30 days."""


def choose_spot(settings: ResolvedSettings) -> Spot | None:
    """The spot capacity that a job is to have; a wait that nobody set is filled in."""
    if not settings.use_spot_instances:
        return None
    run_s = settings.max_runtime_in_seconds
    filled_in_s = max(run_s, min(round(WAIT_FACTOR * run_s), LONGEST_WAIT_S))
    return Spot(max_wait_s=settings.max_wait_time_in_seconds or filled_in_s)


def warn_of_unused(settings: ResolvedSettings) -> None:
    """Refuses settings that say nothing without another one; where a file or the panel set them, says so instead.

    A call that turns spot capacity off has said that it does without what goes with it.

    Raises:
        ConfigError: The call itself sets one of them, and not the other.
    """
    for name, needed, is_on in (
        ("max_wait_time_in_seconds", "use_spot_instances", settings.use_spot_instances),
        ("fallback", "use_spot_instances", settings.use_spot_instances),
        ("max_attempts", "retry_on", bool(settings.retry_on)),
    ):
        origin = settings.origin(name)
        if is_on or origin == "default" or settings.value(name) in (None, "none"):
            continue
        if origin == "argument" and settings.origin(needed) == "default":
            raise ConfigError(
                f"{name}={settings.value(name)!r} has no effect without {needed}; nothing was sent.",
                fix=f"Add {needed}, or leave {name} out.",
                settings=(name, needed),
            )
        logger.warning("%s (from %s) has no effect: %s is not set, or off", name, origin, needed)


def find_location(args: Iterable[Any], kwargs: Mapping[str, Any]) -> str | None:
    """The place in S3 that an argument of the call names, if one does.

    Raises:
        ConfigError: There are several. Source: sagemaker.remote_function, which refuses them too.
    """
    found = [each.s3_uri for each in (*args, *kwargs.values()) if isinstance(each, CheckpointLocation)]
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} arguments of the call are a CheckpointLocation; nothing was sent.",
            why="A training job has one place for its checkpoints.",
            fix="Pass one of them, and use directories below it.",
        )
    return found[0] if found else None


def choose_named_place(settings: ResolvedSettings, location: str | None) -> str | None:
    """The place for checkpoints that the settings or an argument name, if they do.

    Raises:
        ConfigError: They name two.
    """
    named = settings.checkpoint_s3_uri
    if location is not None and settings.origin("checkpoint_s3_uri") != "default" and named != location:
        raise ConfigError(
            f"The call passes CheckpointLocation({location!r}), and checkpoint_s3_uri is {named!r}; nothing was sent.",
            why="A training job has one place for its checkpoints.",
            fix="Leave one of them out.",
        )
    return location or named


def build_default_place(root_uri: str, owner: Owner, arguments: BlobRef) -> str:
    """Where the checkpoints of a function are kept by default: one place for each set of arguments.

    Two calls that differ in their arguments, or functions of one name in two notebooks or modules, never take up
    each other's work. A function that was edited takes up its own.
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "-", owner.function or "")
    key = hashlib.sha256(f"{owner.home or ''}\0{arguments.digest}".encode()).hexdigest()[:16]
    return f"{root_uri}/{CHECKPOINT_DIRECTORY}/{name}/{key}"


def find_owner(func: Callable[..., Any]) -> Owner:
    """Whose checkpoints those of a function are."""
    notebook = find_origin().get("notebook", "")
    home = find_module(func, notebook=notebook if notebook.endswith(".ipynb") else None)
    return Owner(function=display_name(func), home=home[:LONGEST_HOME] if home else None)


def choose_taken_up(settings: ResolvedSettings, owner: Owner) -> Owner | None:
    """Whose checkpoints a job of a function takes up; None for one that begins anew.

    Who says ``resume=True`` in so many words means also those that were saved before the function was moved.
    """
    if not settings.resume:
        return None
    return dataclasses.replace(owner, home=None) if settings.origin("resume") == "argument" else owner


def add_checkpoints(
    spec: TrainingJobSpec, settings: ResolvedSettings, *, named: str | None, default: str, home: str | None
) -> TrainingJobSpec:
    """The same job with a place for its checkpoints, where it is to have one.

    Args:
        spec: With its spot capacity.
        settings: Of the call.
        named: The place that was named, if one was.
        default: The place for a job on spot capacity for which none was.
        home: Of the function, see `Owner`.
    """
    uri = named or (default if spec.spot is not None else None)
    if uri is None:
        return spec
    environment = {**spec.environment, **({HOME_VARIABLE: home} if home else {})}
    if not settings.resume or settings.origin("resume") == "argument":
        environment[RESUME_VARIABLE] = str(settings.resume).lower()
    if spec.spot is not None:
        environment[CHECKPOINT_WATCH_VARIABLE] = f"{spec.max_runtime_s / 4:g},{settings.checkpoint_warning_s:g}"
    checkpoints = Checkpoints(s3_uri=uri, local_path=settings.checkpoint_local_path)
    return dataclasses.replace(spec, checkpoints=checkpoints, environment=environment)


def describe_spot(spec: TrainingJobSpec, settings: ResolvedSettings) -> list[str]:
    """What nobody asked for in so many words, and is therefore said."""
    lines = []
    if spec.spot is not None and settings.max_wait_time_in_seconds is None:
        wait_s = spec.spot.max_wait_s
        hours = f" ({wait_s / 3600:.3g} h)" if wait_s >= 3600 else ""
        lines.append(
            f"waits for and runs on spot capacity for at most {wait_s} s{hours} in all "
            f"({WAIT_FACTOR:g} x max_runtime_in_seconds; max_wait_time_in_seconds sets it)"
        )
    if spec.checkpoints is not None and settings.checkpoint_s3_uri != spec.checkpoints.s3_uri:
        lines.append(f"checkpoints are kept in {spec.checkpoints.s3_uri}")
    return lines
