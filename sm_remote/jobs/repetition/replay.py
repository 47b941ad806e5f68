"""Runs a job again: the same manifest, and so the same code, arguments and packages, under a new name."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sm_remote.aws.described_job import read_spec
from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.costs import Limits, read_mark
from sm_remote.errors import ConfigError, JobError
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.creation.charges import open_charges
from sm_remote.jobs.creation.lock import JobLock, read_lock
from sm_remote.jobs.creation.name import build_job_name
from sm_remote.jobs.creation.role import choose_role
from sm_remote.jobs.job import Job
from sm_remote.jobs.submission.secrets import check_changes
from sm_remote.settings import resolve_settings
from sm_remote.spec import Resources, TrainingJobSpec
from sm_remote.storage.store import parse_s3_uri
from sm_remote.wire.layout import COST_LIMIT_VARIABLE, DRILL_VARIABLE, RUN_VARIABLE, SUCCESSION_VARIABLE

_OWN_PREFIX = "SM_REMOTE_"
REPLAY_TAG = "sm_remote:replay_of"
_FUNCTION_TAG = "sm_remote:function"
_RESOURCES = {
    "instance_type": "instance_type",
    "instance_count": "instance_count",
    "volume_size": "volume_size_gb",
}
_MEMBERS = {
    "max_runtime_in_seconds": "max_runtime_s",
    "environment_variables": "environment",
    "hyperparameters": "hyperparameters",
    "enable_network_isolation": "network_isolation",
    "role": "role_arn",
}
_OF_ONE_RUN = (COST_LIMIT_VARIABLE, RUN_VARIABLE, DRILL_VARIABLE, SUCCESSION_VARIABLE)
_LIMITS = ("max_cost", "max_cost_per_day")
CHANGEABLE = (*_RESOURCES, *_MEMBERS, *_LIMITS, "job_name_prefix", "tags", "not_secret")
_WHERE = (
    *("target", "region", "bucket_owner", "s3_kms_key"),
    *("engine", "container_credentials", "service_idle_s", "service_max_parallel_jobs"),
)


def replay(job: Job[Any] | str, **options: Any) -> Job[Any]:
    """Submits the same manifest again under a new name, and returns the new job; nothing is uploaded.

    Args:
        job: The job, or its name.
        **options: Settings that may differ: ``instance_type``, ``instance_count``, ``volume_size``,
            ``max_runtime_in_seconds``, ``environment_variables``, ``hyperparameters``, ``tags``, ``role``,
            ``job_name_prefix``, ``enable_network_isolation``, ``max_cost``, ``max_cost_per_day``, ``not_secret``. What
            the job was allowed to cost holds again where neither an option nor another setting says otherwise. Where to
            look for a job that is given by its name is said by ``target`` and ``region``.

    Raises:
        JobNotFound: There is no such job.
        JobError: What it was made of is not stored any more.
        ConfigError: An option would make it another job.
    """
    check_options(options)
    where = {name: value for name, value in options.items() if name in _WHERE}
    connection = job._connection if isinstance(job, Job) else connect_with(resolve_settings(where))
    name = job.name if isinstance(job, Job) else job
    again = replay_through(connection, name, {key: value for key, value in options.items() if key not in where})
    again._submit()
    return again


def check_options(options: Mapping[str, Any]) -> None:
    """Refuses options with which the job would not be the same.

    Raises:
        ConfigError: One is not of those that may differ.
    """
    for name in options:
        if name not in (*CHANGEABLE, *_WHERE):
            raise ConfigError(
                f"replay() cannot change {name!r}.",
                why="It submits the same code, arguments, packages and image again.",
                fix=f"Call the function anew, or change one of {', '.join(CHANGEABLE)}.",
                name=name,
            )


def replay_through(
    connection: Connection,
    name: str,
    options: Mapping[str, Any],
    *,
    moment: datetime | None = None,
    random_bits: int | None = None,
) -> Job[Any]:
    """`replay`, over a connection that is there; the new job is not submitted yet."""
    given = resolve_settings(options) if options else None
    changes = {key: given.value(key) for key in options} if given else {}
    if given is not None and given.further_instance_types:
        raise ConfigError("replay() takes one instance_type.", why="It submits one job.", fix="Name one of them.")
    check_changes(changes, target=connection.target)
    if changes.get("role"):
        changes["role"] = choose_role(changes["role"], connection)
    description = connection.training_jobs.describe(name)
    tags = connection.training_jobs.list_tags(description.arn)
    prefix = str(changes.get("job_name_prefix") or tags.get(_FUNCTION_TAG) or name)
    bits = secrets.randbits(64) if random_bits is None else random_bits
    new_name = build_job_name(prefix, moment or datetime.now(), bits)
    lock = read_lock(name, description.output_uri, connection)
    spec = change_spec(_chain_tags(rebuild_spec(description, tags), lock), new_name, name, changes)
    _require_objects(spec, name, connection)
    renewed = _renew_lock(lock, spec, name)
    charges = open_charges(given or resolve_settings({}), connection, renewed or {})
    charges.limits = keep_limits(charges.limits, description)
    return Job(new_name, connection, spec=spec, lock=renewed, charges=charges)


def rebuild_spec(description: TrainingJobDescription, tags: Mapping[str, str]) -> TrainingJobSpec:
    """What a job was asked to be, without what was of that one run. Pure."""
    spec, mark = read_spec(description.raw, tags), read_mark(description.raw.get("Environment"))
    return dataclasses.replace(
        spec,
        max_runtime_s=mark.runtime_s if mark is not None else spec.max_runtime_s,
        environment={name: text for name, text in spec.environment.items() if name not in _OF_ONE_RUN},
    )


def keep_limits(limits: Limits, description: TrainingJobDescription) -> Limits:
    """What a replay may cost: as the settings say, and where they do not, as the job was allowed to. Pure."""
    mark = read_mark(description.raw.get("Environment"))
    if mark is None:
        return limits
    return Limits(
        max_cost=mark.limits.max_cost if limits.max_cost is None else limits.max_cost,
        max_cost_per_day=(mark.limits.max_cost_per_day if limits.max_cost_per_day is None else limits.max_cost_per_day),
    )


def _chain_tags(spec: TrainingJobSpec, lock: JobLock | None) -> TrainingJobSpec:
    """Has session tags chained where the first job had: the API does not say it, so the lock does."""
    setting = ((lock or {}).get("settings") or {}).get("enable_session_tag_chaining") or {}
    return dataclasses.replace(spec, session_tag_chaining=bool(setting.get("value")))


def change_spec(spec: TrainingJobSpec, name: str, old_name: str, changes: Mapping[str, Any]) -> TrainingJobSpec:
    """The same job under another name, with other resources and the like. Pure."""
    resources = {_RESOURCES[key]: value for key, value in changes.items() if key in _RESOURCES}
    members = {_MEMBERS[key]: value for key, value in changes.items() if key in _MEMBERS}
    if "environment" in members:
        # How its processes are started, and where its secrets are, is not the user's to repeat.
        own = {name: text for name, text in spec.environment.items() if name.startswith(_OWN_PREFIX)}
        members["environment"] = {**own, **members["environment"]}
    tags = {**dict(spec.tags), **dict(changes.get("tags") or {}), REPLAY_TAG: old_name}
    return dataclasses.replace(
        spec,
        name=name,
        resources=_change_resources(spec.resources, resources),
        tags=tuple(tags.items()),
        **members,
    )


def _change_resources(resources: Resources, changes: Mapping[str, Any]) -> Resources:
    """One instance type, or a number, takes the place of groups."""
    groups = () if {"instance_type", "instance_count"} & set(changes) else resources.groups
    return dataclasses.replace(resources, groups=groups, **changes)


def _require_objects(spec: TrainingJobSpec, name: str, connection: Connection) -> None:
    """Makes sure that what the job reads is still stored, before the job is paid for.

    Raises:
        JobError: Something was removed.
    """
    for channel in spec.channels:
        if not channel.s3_uri:
            continue
        bucket, _ = parse_s3_uri(channel.s3_uri)
        key = channel.s3_uri.removeprefix(f"s3://{bucket}/")
        store = connection.open_store(f"s3://{bucket}")
        is_object = channel.s3_data_type != "S3Prefix"
        found = store.head(key) if is_object else next(iter(store.list(key)), None)
        if found is None:
            raise JobError(
                f"Training job {name} cannot be run again: its channel {channel.name} is not stored any more.",
                why=f"There is nothing at {channel.s3_uri}.",
                fix="Call the function anew: it sends what is missing.",
                job_name=name,
            )


def _renew_lock(lock: JobLock | None, spec: TrainingJobSpec, old_name: str) -> JobLock | None:
    if lock is None:
        return None
    return {**lock, "job": spec.name, "replay_of": old_name, "instance": dataclasses.asdict(spec.resources)}
