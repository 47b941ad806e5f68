"""Which image runs a job, and which Python with which packages is in it, as far as that can be told from here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from sm_remote.aws.ecr_uri import spell_login
from sm_remote.aws.local_service import ServiceOptions, call_service
from sm_remote.capture.call import TargetPython
from sm_remote.capture.distributions import normalise
from sm_remote.capture.frameworks import normalise_all, read_image_name
from sm_remote.capture.interpreter import describe_interpreter, local_image_uri, register_interpreter
from sm_remote.catalogue import find_framework, find_instance_type
from sm_remote.errors import ConfigError
from sm_remote.image.definition import Env, Image, Pip, PythonBase
from sm_remote.jobs.connection import Connection, connect
from sm_remote.jobs.environments.aws_image_choice import (
    choose_default_image,
    find_image_python,
    find_processor,
    find_region,
    name_image,
    propose,
)
from sm_remote.jobs.environments.built_images import ensure_image, require_discovery
from sm_remote.jobs.environments.image_push import push_image
from sm_remote.settings import ResolvedSettings
from sm_remote.wire.launch import CONDA_VARIABLE

_image_pythons: dict[tuple[str, str, str | None], TargetPython] = {}
_CONDA_NAME = re.compile(r"[a-zA-Z0-9_-]{1,100}")


def choose_image(settings: ResolvedSettings, connection: Connection) -> tuple[str, TargetPython]:
    """The image that runs the job, and its Python with what it finds there.

    Raises:
        ConfigError: The image's Python has another minor version than this process, or there is none.
    """
    image_uri, python = _choose_image(settings, connection)
    has_gpu = settings.gpu or any(find_instance_type(name).is_gpu for name, _ in settings.machines)
    # What cannot be built here cannot be built by the same Python and platform there.
    is_here = python.same_as_host and not python.installed
    can_install = python.can_install if is_here else not settings.enable_network_isolation
    return image_uri, dataclasses.replace(python, has_gpu=has_gpu, can_install=can_install)


def find_conda_env(settings: ResolvedSettings) -> str | None:
    """The conda environment that a call names, by its setting or by the SDK's variable for the job.

    Raises:
        ConfigError: The variable holds no name.
    """
    name = settings.job_conda_env or settings.environment_variables.get(CONDA_VARIABLE) or None
    if name is not None and not _CONDA_NAME.fullmatch(name):
        raise ConfigError(
            f"{CONDA_VARIABLE}={name!r} is no name of a conda environment.",
            why="It is letters, digits, dashes and underscores.",
            fix="Correct it in environment_variables, or use job_conda_env.",
        )
    return name


def _choose_image(settings: ResolvedSettings, connection: Connection) -> tuple[str, TargetPython]:
    record = describe_interpreter()
    here = TargetPython(version=record.version, same_as_host=True)
    conda_env = find_conda_env(settings)
    if conda_env is not None and settings.image_uri in (None, local_image_uri(record)):
        raise ConfigError(
            f"There is no conda environment {conda_env!r} for the job.",
            why="job_conda_env names one inside the image, and the image that is made from this Python has none.",
            fix="Name an image that has it (image_uri=...), or leave job_conda_env out: the packages of this process's "
            "own environment travel by themselves.",
        )
    image = settings.image_uri
    if isinstance(image, Image):
        image = name_image(image, settings, find_region(settings, connection), _minor(here.version))
    if isinstance(image, Image):
        return provide_image(image, settings, connection, here)
    if settings.target == "sagemaker":
        return _take_remote(image, settings, connection, here)
    if image is None or image == local_image_uri(record):
        register_interpreter(connection.home, record)
        return local_image_uri(record), here
    return image, _inspect_image(image, connection, here, conda_env)


def _take_remote(
    image: str | None, settings: ResolvedSettings, connection: Connection, here: TargetPython
) -> tuple[str, TargetPython]:
    """An image that only SageMaker pulls, judged by what is known of it."""
    if image is None:
        chosen = choose_default_image(settings, find_region(settings, connection), _minor(here.version))
        return chosen, _name_python(chosen, here)
    named = _name_python(image, here)
    if find_conda_env(settings) is not None:
        # What the name says is of the image's own Python; what its conda environments have is seen in the job.
        return image, dataclasses.replace(named, installed=None)
    found = find_image_python(image, connection)
    if found is not None and found != _minor(here.version):
        advice = propose(
            _minor(here.version),
            region=find_region(settings, connection),
            processor=find_processor(settings),
            framework=find_framework(image),
        )
        raise _refuse_python(image, found, here.version, advice)
    return image, named


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
    conda_env = find_conda_env(settings)
    found = dataclasses.replace(_inspect_image(recipe.uri, local, here, conda_env), asked=list_asked(image))
    if settings.target == "sagemaker":
        _check_machine(recipe.uri, found.machine, settings.instance_type)
        return push_image(recipe, connection, discovery), found
    if recipe.bases == (local_image_uri(describe_interpreter()),) and not _may_switch(image, conda_env):
        return recipe.uri, dataclasses.replace(found, same_as_host=True)
    return recipe.uri, found


def list_asked(image: Image) -> dict[str, str]:
    """The packages that an image's author has named, each with the requirement, by normalised name. Pure."""
    asked = {}
    for step in image.steps:
        for line in step.requirements if isinstance(step, Pip) else ():
            with suppress(InvalidRequirement):  # a path or a URL, whose package is known when it is installed
                asked[normalise(Requirement(line).name)] = line
    return asked


def _may_switch(image: Image, conda_env: str | None) -> bool:
    """Whether another Python than the base's may run the job."""
    names = {name for step in image.steps if isinstance(step, Env) for name, _ in step.variables}
    return conda_env is not None or CONDA_VARIABLE in names or not isinstance(image.base, PythonBase)


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


def _inspect_image(image_uri: str, connection: Connection, here: TargetPython, conda_env: str | None) -> TargetPython:
    discovery = connection.training_jobs.session.discovery
    if discovery is None:
        return _name_python(image_uri, here)
    key = (discovery.instance, image_uri, conda_env)
    if key not in _image_pythons:
        answer = call_service(discovery, "InspectImage", {"Image": image_uri, "CondaEnv": conda_env}, limit_s=600)
        if answer.get("Unavailable"):
            raise _miss_image(image_uri, str(answer["Unavailable"]))
        if not answer.get("PythonVersion"):
            raise _refuse_image(image_uri, str(answer.get("Trouble") or ""), here.version)
        _image_pythons[key] = _read_inspection(image_uri, answer)
    found = _image_pythons[key]
    if _minor(found.version) != _minor(here.version):
        raise _refuse_python(image_uri, found.version, here.version)
    return found


def _miss_image(image: str, reason: str) -> ConfigError:
    login = spell_login(image) or "docker login"
    return ConfigError(
        f"The image {image} is not on this machine and cannot be pulled; nothing was sent.",
        why=reason.removeprefix(f"{image}: "),
        fix=f"Correct image_uri, build the image or log in to its registry ({login}), or leave image_uri out: then "
        "jobs on this machine use an image made from the Python that runs here.",
    )


def _refuse_image(image: str, trouble: str, here: str) -> ConfigError:
    if trouble:
        return ConfigError(
            f"The function cannot be run in the image {image}. Nothing was sent.",
            why=f"{trouble}.",
            fix="Correct job_conda_env, or make the environment in the image.",
        )
    return ConfigError(
        f"The image {image} has no python3.",
        why="The function is run by the image's own Python.",
        fix=f"Use an image with Python {_minor(here)}, or leave image_uri out.",
    )


def _refuse_python(image: str, version: str, here: str, advice: str = "") -> ConfigError:
    usual = f"Use an image with Python {_minor(here)}, or run this notebook on {_minor(version)}."
    return ConfigError(
        f"The image {image} has Python {version}; this process is Python {here}.",
        why="A pickled function only runs on the same minor version. Nothing was sent.",
        fix=advice or usual,
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
        modules=frozenset(answer.get("Modules") or ()),
        image=image_uri,
        digest=str(answer.get("Digest") or ""),
    )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
