"""From a function and settings to a training job's spec: what can be refused is refused before anything is sent."""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sm_remote.aws.constraints import check_request
from sm_remote.aws.local_service import ServiceOptions, call_service
from sm_remote.aws.requests import build_create_training_job
from sm_remote.capture.call import CapturedCall, TargetPython, capture_call
from sm_remote.capture.frameworks import normalise_all, read_image_name
from sm_remote.capture.interpreter import describe_interpreter, local_image_uri, register_interpreter
from sm_remote.capture.runtime_zip import build_runtime_zip
from sm_remote.capture.workspace import WorkspaceRequest
from sm_remote.catalogue import find_instance_type
from sm_remote.errors import ConfigError
from sm_remote.home import LOCAL_BUCKET, LOCAL_ROLE_ARN
from sm_remote.image.definition import Image, PythonBase
from sm_remote.jobs.connection import Connection, connect
from sm_remote.jobs.image_push import push_image
from sm_remote.jobs.images import ensure_image, require_discovery
from sm_remote.jobs.layers import mark_used
from sm_remote.jobs.lock import JobLock, build_lock
from sm_remote.jobs.name import build_job_name
from sm_remote.jobs.tags import build_tags, find_origin
from sm_remote.settings import ResolvedSettings
from sm_remote.spec import Channel, MetricDefinition, Resources, TrainingJobSpec
from sm_remote.wire.layout import JOBS

DEFAULT_LOCAL_ROOT = f"s3://{LOCAL_BUCKET}/sm_remote"
LOCAL_INSTANCE_TYPE = "ml.m5.large"

_image_pythons: dict[tuple[str, str], TargetPython] = {}


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
    image_uri, python = choose_image(settings, connection)
    role_arn = _choose_role(settings)
    root_uri = choose_root(settings, connection)
    function_name = _name_of(func)
    spec = TrainingJobSpec(
        name=build_job_name(
            settings.job_name_prefix or function_name,
            moment or datetime.now(),
            secrets.randbits(64) if random_bits is None else random_bits,
        ),
        role_arn=role_arn,
        image_uri=image_uri,
        output_uri=f"{root_uri}/{JOBS}",
        resources=Resources(
            instance_type=settings.instance_type,
            instance_count=settings.instance_count,
            volume_size_gb=settings.volume_size,
        ),
        max_runtime_s=settings.max_runtime_in_seconds,
        environment=dict(settings.environment_variables),
        hyperparameters={key: str(value) for key, value in settings.hyperparameters.items()},
        metric_definitions=tuple(
            MetricDefinition(name=metric["Name"], regex=metric["Regex"]) for metric in settings.metric_definitions
        ),
        tags=build_tags(_describe_origin(settings), function_name, dict(settings.tags)),
        network_isolation=settings.enable_network_isolation,
    )
    _check(spec)
    captured = capture_call(
        func,
        args,
        kwargs,
        store=connection.open_store(root_uri),
        home=connection.home,
        dependencies=settings.dependencies,
        python=python,
        runtime=build_runtime_zip(),
        install_limit_s=settings.install_limit_s,
        workspace=describe_workspace(settings),
        environment=settings.environment_variables,
        preflight=settings.preflight,
        conda_env=settings.job_conda_env,
    )
    mark_used(captured.lock.layer_key, connection.open_store(root_uri), connection.home)
    complete = complete_spec(spec, captured, settings.inputs)
    _check(complete)
    return complete, build_lock(complete, captured, settings, image_digest=python.digest)


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


def complete_spec(spec: TrainingJobSpec, captured: CapturedCall, inputs: Mapping[str, str]) -> TrainingJobSpec:
    """Adds what the capture made: channels, entrypoint and arguments."""
    import dataclasses

    channels = tuple(Channel(name=name, s3_uri=uri) for name, uri in inputs.items())
    return dataclasses.replace(
        spec,
        entrypoint=tuple(captured.entrypoint),
        arguments=tuple(captured.arguments),
        channels=(*captured.channels, *channels),
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
    return f"s3://sagemaker-{session.region}-{session.account}/sm_remote"


def _choose_role(settings: ResolvedSettings) -> str:
    if settings.role:
        return settings.role
    if settings.target == "local":
        return LOCAL_ROLE_ARN
    raise ConfigError(
        "No execution role is set.",
        why="On SageMaker a training job acts under an IAM role.",
        fix="Pass role='arn:aws:iam::<account>:role/<name>', or set it in the configuration file.",
    )


def choose_image(settings: ResolvedSettings, connection: Connection) -> tuple[str, TargetPython]:
    """The image that runs the job, and its Python with what it finds there.

    Raises:
        ConfigError: The image's Python has another minor version than this process, or there is none.
    """
    image_uri, python = _choose_image(settings, connection)
    if python.same_as_host and not python.installed:
        return image_uri, python
    has_gpu = settings.gpu or find_instance_type(settings.instance_type).is_gpu
    return image_uri, dataclasses.replace(python, has_gpu=has_gpu, can_install=not settings.enable_network_isolation)


def _choose_image(settings: ResolvedSettings, connection: Connection) -> tuple[str, TargetPython]:
    record = describe_interpreter()
    here = TargetPython(version=record.version, same_as_host=True)
    if settings.job_conda_env is not None and settings.image_uri in (None, local_image_uri(record)):
        raise ConfigError(
            f"There is no conda environment {settings.job_conda_env!r} for the job.",
            why="job_conda_env names one inside the image, and the image that is made from this Python has none.",
            fix="Name an image that has it (image_uri=...), or leave job_conda_env out: the packages of this process's "
            "own environment travel by themselves.",
        )
    if isinstance(settings.image_uri, Image):
        image_uri, python = provide_image(settings.image_uri, settings, connection, here)
        return image_uri, python if settings.job_conda_env is None else _unknown_python(here)
    if settings.image_uri is None:
        if settings.target == "sagemaker":
            raise ConfigError(
                "No image is set.",
                why=f"On SageMaker the job needs an image with Python {_minor(here.version)}.",
                fix="Pass image_uri='<account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>'.",
            )
        register_interpreter(connection.home, record)
        return local_image_uri(record), here
    if settings.job_conda_env is not None:
        return settings.image_uri, _unknown_python(here)
    if settings.target == "sagemaker":
        return settings.image_uri, _name_python(settings.image_uri, here)
    if settings.image_uri == local_image_uri(record):
        register_interpreter(connection.home, record)
        return settings.image_uri, here
    return settings.image_uri, _inspect_image(settings.image_uri, connection, here)


def _unknown_python(here: TargetPython) -> TargetPython:
    """That of a conda environment: what it has is seen in the job, before anything is loaded."""
    return TargetPython(version=here.version, same_as_host=False)


def provide_image(
    image: Image, settings: ResolvedSettings, connection: Connection, here: TargetPython
) -> tuple[str, TargetPython]:
    """Has an image built by the local engine, and on SageMaker pushed where it is missing.

    Raises:
        ConfigError: A file of it is not there, or its Python is another.
        ImageBuildFailed: It cannot be built or pushed.
    """
    if isinstance(image.base, PythonBase) and image.base.minor != _minor(here.version):
        raise _refuse_python(str(image), image.base.minor, here.version)
    local = connection if settings.target == "local" else connect_locally(settings, connection)
    discovery = require_discovery(local.training_jobs.session.discovery)
    recipe = ensure_image(image, connection.home, discovery)
    if settings.target == "sagemaker":
        found = _inspect_image(recipe.uri, local, here)
        _check_machine(recipe.uri, found.machine, settings.instance_type)
        return push_image(recipe, connection, discovery), found
    found = _inspect_image(recipe.uri, connection, here)
    if isinstance(image.base, PythonBase) and recipe.bases == (local_image_uri(describe_interpreter()),):
        return recipe.uri, dataclasses.replace(found, same_as_host=True)
    return recipe.uri, found


def _check_machine(image_uri: str, machine: str | None, instance_type: str) -> None:
    """Refuses an image of an Arm machine, such as a recent Mac, for an instance type that is none."""
    wanted = "aarch64" if "gb200" in instance_type else "x86_64"
    if machine not in (None, wanted):
        raise ConfigError(
            f"The image {image_uri} is for {machine}; the instance type {instance_type} is {wanted}.",
            why="The local engine builds for the machine that it runs on. Nothing was pushed.",
            fix=f"Build it on a machine with {wanted}: `sm-remote image build --push`, and give the URI as image_uri.",
        )


def connect_locally(settings: ResolvedSettings, connection: Connection) -> Connection:
    """The connection to the local service, for a job that runs elsewhere."""
    options = ServiceOptions(engine=settings.engine, idle_s=settings.service_idle_s)
    return connect(target="local", home=connection.home, options=options)


def _inspect_image(image_uri: str, connection: Connection, here: TargetPython) -> TargetPython:
    discovery = connection.training_jobs.session.discovery
    if discovery is None:
        return _name_python(image_uri, here)
    key = (discovery.instance, image_uri)
    if key not in _image_pythons:
        answer = call_service(discovery, "InspectImage", {"Image": image_uri}, limit_s=600)
        version = answer.get("PythonVersion")
        if not version:
            raise ConfigError(
                f"The image {image_uri} has no python3.",
                why="The function is run by the image's own Python.",
                fix=f"Use an image with Python {_minor(here.version)}, or leave image_uri out.",
            )
        _image_pythons[key] = _read_inspection(image_uri, answer)
    found = _image_pythons[key]
    if _minor(found.version) != _minor(here.version):
        raise _refuse_python(image_uri, found.version, here.version)
    return found


def _refuse_python(image: str, version: str, here: str) -> ConfigError:
    return ConfigError(
        f"The image {image} has Python {version}; this process is Python {here}.",
        why="A pickled function only runs on the same minor version. Nothing was sent.",
        fix=f"Use an image with Python {_minor(here)}, or run this notebook on {_minor(version)}.",
    )


def _name_python(image_uri: str, here: TargetPython) -> TargetPython:
    """What is taken for granted of an image that cannot be asked: the right Python, and what its name says."""
    installed = read_image_name(image_uri)
    return TargetPython(
        version=here.version, same_as_host=False, installed=installed or None, knows_all=False, image=image_uri
    )


def _read_inspection(image_uri: str, answer: Mapping[str, Any]) -> TargetPython:
    glibc = re.match(r"(\d+)\.(\d+)", answer.get("Glibc") or "")
    return TargetPython(
        version=answer["PythonVersion"],
        same_as_host=False,
        machine=str(answer.get("Platform") or "").rpartition("/")[2] or None,
        glibc=(int(glibc[1]), int(glibc[2])) if glibc else None,
        installed=normalise_all(answer.get("Packages") or {}),
        image=image_uri,
        digest=str(answer.get("Digest") or ""),
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _name_of(func: Callable[..., Any]) -> str:
    from sm_remote.capture.function import describe_function

    name: str = describe_function(func).name
    return re.sub(r"[<>]", "", name)
