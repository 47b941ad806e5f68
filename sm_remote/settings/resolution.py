"""Puts the sources of settings together: the highest that names a setting decides it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from sm_remote.catalogue import close_matches, find_instance_type, largest_cpu_type, largest_gpu_type
from sm_remote.errors import ConfigError
from sm_remote.settings.environment import read_environment
from sm_remote.settings.files import find_project_file, find_user_file, read_project_file, read_user_file
from sm_remote.settings.notebook import read_notebook_settings
from sm_remote.settings.panel_comm import tell_overridden
from sm_remote.settings.portable import check_notebook_values
from sm_remote.settings.resolved import ResolvedSettings
from sm_remote.settings.sagemaker_config import read_sagemaker_config
from sm_remote.settings.schema import check_values, environment_variable, read_defaults
from sm_remote.settings.session import read_session_settings
from sm_remote.settings.succession_kinds import split_types

NOTEBOOK = "notebook"
DEFAULT_LOCAL_INSTANCE_TYPE = "ml.m5.large"
_WHOLE_HOST = {"local": largest_cpu_type, "local_gpu": largest_gpu_type}

Chosen = dict[str, tuple[Any, str, int]]
"""For each setting its value, origin, and the rank of its source."""


def resolve_settings(
    arguments: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    notebook: Mapping[str, Any] | None = None,
) -> ResolvedSettings:
    """Decides every setting for one call.

    Args:
        arguments: Of the decorator or the call. None means "not given", except for ``dependencies``, where it
            means "none".
        environ: Instead of this process's environment.
        cwd: Where the search for the project's file begins, instead of the working directory.
        notebook: Instead of what `set_notebook_settings` was given.

    Raises:
        ConfigError: A source names an unknown setting or a value that is not accepted, or two contradict in what they
            make of a third. What cannot hold together in a job, `check_combinations` says.
    """
    env = os.environ if environ is None else environ
    chosen: Chosen = {name: (value, "default", 0) for name, value in read_defaults().items()}
    by_notebook: set[str] = set()
    for rank, (origin, values) in enumerate(_read_sources(arguments or {}, env, cwd, notebook, chosen), 1):
        if origin == NOTEBOOK:
            by_notebook = set(values)
        for name, value in values.items():
            chosen[name] = (value, origin or environment_variable(name), rank)
    if notebook is None:
        tell_overridden(name for name in by_notebook if chosen[name][1] != NOTEBOOK)
    return _build(chosen)


def _read_sources(
    arguments: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: str | os.PathLike[str] | None,
    notebook: Mapping[str, Any] | None,
    chosen: Chosen,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Gives each source's origin and values, lowest first; the environment's origin is a variable for each.

    ``chosen`` is what the sources before one have decided, by the time that this one is read.
    """
    yield from read_sagemaker_config(environ)
    user_file = find_user_file(environ)
    yield str(user_file), read_user_file(user_file)
    project_file = find_project_file(cwd)
    yield str(project_file), read_project_file(project_file)
    yield "", read_environment(environ)
    if notebook is None:
        usual = split_types(chosen["instance_type"][0])[0] or DEFAULT_LOCAL_INSTANCE_TYPE
        yield NOTEBOOK, read_notebook_settings(usual_instance_type=usual)
    else:
        yield NOTEBOOK, check_notebook_values(notebook, origin="The notebook")
    yield "session", read_session_settings()
    given = {name: value for name, value in arguments.items() if value is not None or name == "dependencies"}
    yield "argument", check_values(given, origin="argument")


def _build(chosen: Chosen) -> ResolvedSettings:
    values = {name: _copy(value) for name, (value, _, _) in chosen.items()}
    origins = {name: origin for name, (_, origin, _) in chosen.items()}
    _choose_groups(values, origins, chosen)
    _choose_region(values, origins, chosen)
    wanted = values.pop("instance_type")
    if wanted in _WHOLE_HOST:
        _check_whole_host(wanted, chosen)
        values["target"] = "local"
        origins["target"] = origins["instance_type"]
    first, *further = [
        _choose_instance_type(each, values["target"], origins["instance_type"]) for each in split_types(wanted)
    ]
    return ResolvedSettings(
        **values,
        chosen_instance_type=first,
        further_instance_types=tuple(each for each in further if each is not None),
        whole_host=wanted in _WHOLE_HOST,
        gpu=wanted == "local_gpu",
        origins=origins,
    )


def _choose_groups(values: dict[str, Any], origins: dict[str, str], chosen: Chosen) -> None:
    """Decides between instance_groups and one instance type by which of them was set nearer to the call.

    Raises:
        ConfigError: They were set equally near.
    """
    groups, origin, rank = chosen["instance_groups"]
    single = {name: chosen[name] for name in ("instance_type", "instance_count") if chosen[name][2] > 0}
    nearest = max((each[2] for each in single.values()), default=0)
    if not groups or nearest > rank:
        values["instance_groups"] = ()
        return
    if nearest == rank:
        name = next(name for name, each in single.items() if each[2] == rank)
        raise ConfigError(
            f"instance_groups (from {origin}) and {name} (from {single[name][1]}) are both set; nothing was sent.",
            why="The groups say of each machine what it is.",
            fix=f"Leave {name} out, or the groups.",
            settings=("instance_groups", name),
        )
    for group in groups:
        _check_instance_type(group["InstanceType"], origin)
    values["instance_type"], origins["instance_type"] = groups[0]["InstanceType"], origin
    values["instance_count"] = sum(group["InstanceCount"] for group in groups)
    origins["instance_count"] = origin


def _choose_region(values: dict[str, Any], origins: dict[str, str], chosen: Chosen) -> None:
    """Takes the region of the session that was given, if one was.

    Raises:
        ConfigError: Another one was set equally near to the call.
    """
    session, origin, rank = chosen["sagemaker_session"]
    named = getattr(session, "region_name", None)
    region, region_origin, region_rank = chosen["region"]
    if named is None or named == region:
        return
    if region is not None and region_rank >= rank:
        raise ConfigError(
            f"region is {region!r} (from {region_origin}), and the sagemaker_session is for {named!r}; "
            "nothing was sent.",
            why="A job is in one region.",
            fix="Leave region out, or make the session for it.",
            settings=("region", "sagemaker_session"),
        )
    values["region"], origins["region"] = named, origin


def _choose_instance_type(wanted: str | None, target: str, origin: str) -> str | None:
    if wanted is None:
        return DEFAULT_LOCAL_INSTANCE_TYPE if target == "local" else None
    if wanted in _WHOLE_HOST:
        return _WHOLE_HOST[wanted]().name
    return _check_instance_type(wanted, origin)


def _check_instance_type(wanted: str, origin: str) -> str:
    try:
        return find_instance_type(wanted).name
    except KeyError:
        raise _unknown_instance_type(wanted, origin) from None


def _check_whole_host(wanted: str, chosen: Chosen) -> None:
    """Refuses "local" together with a target that was set to "sagemaker" at least as near to the call."""
    target, target_origin, target_rank = chosen["target"]
    _, origin, rank = chosen["instance_type"]
    if target == "sagemaker" and target_rank >= rank:
        raise ConfigError(
            f"instance_type={wanted!r} (from {origin}) contradicts target='sagemaker' (from {target_origin}).",
            why=f"{wanted!r} means the whole of this machine.",
            fix="Name an instance type of SageMaker's such as 'ml.m5.large', or set target to 'local'.",
            settings=("instance_type", "target"),
        )


def _unknown_instance_type(wanted: str, origin: str) -> ConfigError:
    near = close_matches(wanted)
    return ConfigError(
        f"There is no instance type {wanted!r} (from {origin}).",
        why="It is none of the training instance types that SageMaker's API lists.",
        fix=f"Did you mean {', '.join(near)}?" if near else "Name one such as 'ml.m5.large' or 'ml.g5.xlarge'.",
        instance_type=wanted,
        close_matches=near,
        settings=("instance_type",),
    )


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value
