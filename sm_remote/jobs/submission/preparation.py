"""From a function and settings to a training job's spec: what can be refused is refused before anything is sent."""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from sm_remote.aws.constraints import check_request
from sm_remote.aws.requests import build_create_training_job
from sm_remote.capture.call import CapturedCall, capture_call
from sm_remote.capture.inputs import gather_inputs
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.capture.workspace import WorkspaceRequest
from sm_remote.errors import ConfigError
from sm_remote.home import LOCAL_BUCKET
from sm_remote.jobs.account import default_bucket
from sm_remote.jobs.artifacts.stored_checkpoints import check_place
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.creation.lock import JobLock, build_lock
from sm_remote.jobs.creation.name import LONGEST, build_job_name
from sm_remote.jobs.creation.role import choose_role
from sm_remote.jobs.creation.tags import build_tags, find_origin
from sm_remote.jobs.environments.image_choice import choose_image, find_conda_env
from sm_remote.jobs.environments.layers import mark_used
from sm_remote.jobs.submission.inputs import check_file_systems, describe_inputs
from sm_remote.jobs.submission.local_gpus import check_gpus
from sm_remote.jobs.submission.members import add_members, choose_resources
from sm_remote.jobs.submission.secrets import check_reader, check_secrets
from sm_remote.jobs.submission.spot import (
    add_checkpoints,
    build_default_place,
    choose_named_place,
    choose_spot,
    choose_taken_up,
    find_location,
    find_owner,
    warn_of_unused,
)
from sm_remote.jobs.succession.plan import LONGEST_SUFFIX, add_plan
from sm_remote.settings import ResolvedSettings, check_combinations
from sm_remote.spec import MetricDefinition, TrainingJobSpec
from sm_remote.storage.store import parse_s3_uri
from sm_remote.wire import manifest as roles
from sm_remote.wire.layout import CHECKPOINT_DIRECTORY, JOBS, LAUNCHER_VARIABLE, MPIRUN, PROCESSES_VARIABLE
from sm_remote.wire.secret import name_references

DEFAULT_LOCAL_ROOT = f"s3://{LOCAL_BUCKET}/sm_remote"
LOCAL_INSTANCE_TYPE = "ml.m5.large"


def prepare_function(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    settings: ResolvedSettings,
    connection: Connection,
    *,
    moment: datetime | None = None,
    random_bits: int | None = None,
) -> tuple[TrainingJobSpec, JobLock]:
    """Captures a call, uploads what the store lacks and describes the job that will run it, and what it is made of.

    Raises:
        CaptureError: Something cannot travel; nothing was uploaded.
        ConfigError: A setting cannot hold; nothing was uploaded.
    """
    check_secrets(settings)
    warn_of_unused(settings)
    with ExitStack() as stack:  # keeps temporary files until they are uploaded
        return _prepare(func, args, kwargs, settings, connection, stack, moment=moment, random_bits=random_bits)


def _prepare(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    settings: ResolvedSettings,
    connection: Connection,
    stack: ExitStack,
    *,
    moment: datetime | None,
    random_bits: int | None,
) -> tuple[TrainingJobSpec, JobLock]:
    check_combinations(settings)
    check_gpus(settings, connection)
    image_uri, python = choose_image(settings, connection)
    role_arn = choose_role(settings.role, connection)
    root_uri = choose_root(settings, connection)
    function_name = _name_of(func)
    name = build_job_name(
        settings.job_name_prefix or function_name,
        moment or datetime.now(),
        secrets.randbits(64) if random_bits is None else random_bits,
        longest=LONGEST - LONGEST_SUFFIX,
    )
    spec = build_spec(name, function_name, settings, role_arn=role_arn, image_uri=image_uri, root_uri=root_uri)
    place = choose_named_place(settings, find_location(args, kwargs))
    owner = find_owner(func)
    default_place = f"{root_uri}/{CHECKPOINT_DIRECTORY}"
    spec = add_checkpoints(spec, settings, named=place, default=default_place, home=owner.home)
    _check(spec)
    _require_bucket(root_uri, settings, connection)
    store = connection.open_store(root_uri)
    inputs = stack.enter_context(gather_inputs(describe_inputs(settings), home=connection.home, store=store))
    spec = dataclasses.replace(spec, channels=inputs.channels)
    check_file_systems(spec)
    _check(spec)
    if place is not None:
        taken_up = choose_taken_up(settings, owner)
        check_place(place, taken_up, open_store=connection.open_store, is_local=connection.target == "local")
    captured = capture_call(
        func,
        args,
        kwargs,
        store=store,
        home=connection.home,
        dependencies=settings.dependencies,
        python=python,
        runtime=build_runtime_zip(),
        install_limit_s=settings.install_limit_s,
        workspace=describe_workspace(settings),
        environment=settings.environment_variables,
        preflight=settings.preflight,
        conda_env=find_conda_env(settings),
        hosts_key=_build_hosts_key(settings),
    )
    check_reader(settings, python, captured.manifest.requirements)
    mark_used(captured.lock.layer_key, store, connection.home)
    default_place = build_default_place(root_uri, owner, captured.manifest.one(roles.ARGUMENTS))
    spec = add_checkpoints(spec, settings, named=place, default=default_place, home=owner.home)
    complete = complete_spec(spec, captured)
    _check(complete)
    inputs.upload()
    return complete, build_lock(complete, captured, settings, image_digest=python.digest)


def build_spec(
    name: str, function_name: str, settings: ResolvedSettings, *, role_arn: str, image_uri: str, root_uri: str
) -> TrainingJobSpec:
    """The job that the settings ask for, without what its capture adds.

    Raises:
        ConfigError: What may follow it is more than can travel with it.
    """
    spec = TrainingJobSpec(
        name=name,
        role_arn=role_arn,
        image_uri=image_uri,
        output_uri=f"{root_uri}/{JOBS}",
        resources=choose_resources(settings),
        max_runtime_s=settings.max_runtime_in_seconds,
        spot=choose_spot(settings),
        environment={
            **settings.environment_variables,
            **name_references(settings.secrets),
            **_build_process_variables(settings),
        },
        hyperparameters={key: str(value) for key, value in settings.hyperparameters.items()},
        metric_definitions=tuple(
            MetricDefinition(name=metric["Name"], regex=metric["Regex"]) for metric in settings.metric_definitions
        ),
        tags=build_tags(_describe_origin(settings), function_name, dict(settings.tags)),
        network_isolation=settings.enable_network_isolation,
    )
    return add_plan(add_members(spec, settings), settings)


def _build_process_variables(settings: ResolvedSettings) -> dict[str, str]:
    """What tells the runtime how many processes of the function each host runs."""
    if not settings.use_torchrun and not settings.use_mpirun:
        return {}
    launcher = {LAUNCHER_VARIABLE: MPIRUN} if settings.use_mpirun else {}
    return {PROCESSES_VARIABLE: str(settings.nproc_per_node or "auto"), **launcher}


def _build_hosts_key(settings: ResolvedSettings) -> bytes:
    """What only this job's hosts know, where the first is to start programs on the others."""
    return secrets.token_bytes(32) if settings.use_mpirun and settings.instance_count > 1 else b""


def describe_workspace(settings: ResolvedSettings) -> WorkspaceRequest:
    """What a call's settings ask for around its function."""
    return WorkspaceRequest(
        commands=settings.pre_execution_commands,
        script=settings.pre_execution_script,
        include_workdir=settings.include_local_workdir,
        file_filter=settings.custom_file_filter,
        limit_bytes=settings.local_workdir_limit_bytes,
    )


def _describe_origin(settings: ResolvedSettings) -> dict[str, str]:
    return {**find_origin(), **({"instance": "whole host"} if settings.whole_host else {})}


def complete_spec(spec: TrainingJobSpec, captured: CapturedCall) -> TrainingJobSpec:
    """Adds what the capture made: its channels, entrypoint and arguments."""
    return dataclasses.replace(
        spec,
        entrypoint=tuple(captured.entrypoint),
        arguments=tuple(captured.arguments),
        channels=(*captured.channels, *spec.channels),
    )


def _check(spec: TrainingJobSpec) -> None:
    problems = check_request("CreateTrainingJob", build_create_training_job(spec))
    if problems:
        raise ConfigError(
            "The training job would be refused; nothing was sent.",
            why=" ".join(problems[:5]),
            fix="Change the settings that these values come from (`sm-remote config` shows each with its origin).",
        )


def choose_root(settings: ResolvedSettings, connection: Connection) -> str:
    """Where this job's objects are stored: the setting, or the target's default."""
    if settings.s3_root_uri:
        return settings.s3_root_uri.rstrip("/")
    if settings.target == "local":
        return DEFAULT_LOCAL_ROOT
    session = connection.training_jobs.session
    return f"s3://{default_bucket(session.region, session.account)}/sm_remote"


def _require_bucket(root_uri: str, settings: ResolvedSettings, connection: Connection) -> None:
    if settings.target == "sagemaker":
        connection.account.require_bucket(parse_s3_uri(root_uri)[0])


def _name_of(func: Callable[..., Any]) -> str:
    from sm_remote.capture.function import describe_function

    name: str = describe_function(func).name
    return re.sub(r"[<>]", "", name)
