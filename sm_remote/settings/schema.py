"""Every setting: its name, kind, default and meaning. The command line, the documentation and the panel read them here.

Names are the SageMaker SDK's wherever it has the thing. It is long because it is one table, in which each is looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from traitlets import TraitError

from sm_remote.errors import ConfigError
from sm_remote.settings.cloud import CloudSettings
from sm_remote.settings.extra_request import ExtraRequest
from sm_remote.settings.input_kinds import Inputs
from sm_remote.settings.kinds import (
    Choice,
    Dependencies,
    Flag,
    ImageUri,
    Kind,
    MetricDefinitions,
    Seconds,
    Tags,
    Text,
    TextMap,
    Usd,
    Whole,
)
from sm_remote.settings.refused_parameters import REFUSED, refuse_parameter
from sm_remote.settings.request_kinds import InstanceGroups, TextList
from sm_remote.settings.service import ServiceSettings
from sm_remote.settings.succession_kinds import ErrorNames, InstanceTypes
from sm_remote.settings.workspace_kinds import Commands, FileFilter, FilePath
from sm_remote.wire.secret import REFERENCE_PATTERN

_S3_URI = r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[\s\S]*)?"


class Settings(ServiceSettings, CloudSettings):
    """The settings with their defaults, with those of `ServiceSettings` and `CloudSettings`.

    A mapping given for one replaces the whole mapping of a lower source.
    """

    target = Choice(
        *("local", "sagemaker"), default="local", help="Where jobs run: in containers on this machine, or on Amazon."
    )
    instance_type = InstanceTypes(
        help="The machine of a job. Several are tried in order while there is no capacity or quota. Locally the "
        "container gets its CPUs and memory. Default: ml.m5.large locally; on SageMaker one must be named.",
    )
    instance_count = Whole(
        least=1,
        default=1,
        help="How many machines a job has. The function runs on all of them; the first one's value is returned.",
    )
    instance_groups = InstanceGroups(
        help="Machines of several types in one job, instead of instance_type and instance_count."
    )
    use_torchrun = Flag(
        default=False,
        help="Whether each machine runs the function in several processes, with the variables that torchrun sets.",
    )
    use_mpirun = Flag(
        default=False,
        help="Whether mpirun of the job's environment (OpenMPI) starts the function in several processes.",
    )
    nproc_per_node = Whole(
        least=1,
        default=None,
        allow_none=True,
        help="How many processes a machine has with use_torchrun or use_mpirun. Default: one for each GPU; "
        "without GPUs, one, or with mpirun one for each CPU.",
    )
    keep_alive_period_in_seconds = Whole(
        least=0,
        most=21600,
        default=0,
        help="For how long a job's machine is kept for the next job that wants the same, which then starts at once.",
    )
    volume_size = Whole(least=1, default=30, help="Size of the job's disk in GB.")
    image_uri = ImageUri(
        "the URI of a container image, or an Image such as Image.python('3.11').apt('ffmpeg')",
        help="The container image. Default: locally one made from the running Python; on SageMaker the one of AWS's "
        "that has its minor version.",
    )
    dependencies = Dependencies(
        help="The packages that the function needs: found by themselves ('auto'), none, or as listed. "
        "A path in a file is relative to that file."
    )
    preflight = Flag(
        default=True,
        help="Whether the modules that a call needs are looked for in the job's environment before anything is sent.",
    )
    pre_execution_commands = Commands(
        help="Shell commands that the job runs before the function is loaded; the first that fails ends the job."
    )
    pre_execution_script = FilePath(
        help="A shell script that the job runs before the function is loaded, instead of pre_execution_commands. "
        "A path in a file is relative to that file."
    )
    include_local_workdir = Flag(
        default=False,
        help="Whether the files of the working directory travel: the job's function finds them in its own.",
    )
    custom_file_filter = FileFilter(
        help="Which files of the working directory stay behind. Default: those that git ignores, and a few that "
        "never belong into a job."
    )
    local_workdir_limit_bytes = Whole(
        least=1, default=500_000_000, help="A working directory with more than this is refused."
    )
    job_conda_env = Text(
        "the name of a conda environment: letters, digits, dashes and underscores",
        pattern=r"[a-zA-Z0-9_-]+",
        help="The conda environment of the image whose Python runs the function. Default: the image's python3.",
    )
    environment_variables = TextMap(
        "a dict or table of texts by name",
        name_pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        help="Environment variables of the job.",
    )
    secrets = TextMap(
        "a dict or table of 'env:NAME' or 'secretsmanager:NAME[#key]' by the name of an environment variable",
        name_pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        value_pattern=REFERENCE_PATTERN,
        help="Secrets that the function finds as environment variables: from a variable of this process (local jobs "
        "alone), or from AWS Secrets Manager. Only these references are written down.",
    )
    not_secret = TextList(
        "a list of names",
        pattern=r"[\s\S]+",
        help="Names of environment variables, hyperparameters and tags whose values look like secrets and are none; "
        "of commands that run first, the variable that is set or the place that the error names.",
    )
    hyperparameters = TextMap(
        "a dict or table of texts by name",
        help="Hyperparameters of the job, seen in it as SM_HPS and in hyperparameters.json.",
    )
    metric_definitions = MetricDefinitions(help="Numbers to read out of the job's log.")
    inputs = Inputs(
        help="Input channels: data that the job sees as /opt/ml/input/data/<channel>. What is on this machine is "
        "uploaded once. A path in a file is relative to that file."
    )
    inputs_limit_bytes = Whole(
        least=1, default=20_000_000_000, help="A channel with more local data than this is refused."
    )
    job_name_prefix = Text(
        "letters and digits with single dashes between them",
        pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9])*",
        help="What job names begin with. Default: the function's name.",
    )
    max_runtime_in_seconds = Whole(least=1, default=86400, help="After this long a job is stopped and fails.")
    max_retry_attempts = Whole(
        least=0,
        most=30,
        default=0,
        help="How often a job is started again that failed by an internal error of SageMaker's. Other failures are "
        "not repeated.",
    )
    max_cost = Usd(
        default=None,
        allow_none=True,
        help="The most that a call may cost on SageMaker, in US dollars, at on-demand prices. A job that would cost "
        "more is refused, or stopped by SageMaker when it has. Jobs on this machine cost nothing. Default: no limit.",
    )
    max_cost_per_day = Usd(
        default=None,
        allow_none=True,
        help="The most that all calls of a day (UTC) may cost on SageMaker, in US dollars, as this machine's ledger "
        "counts them. Default: no limit.",
    )
    use_spot_instances = Flag(
        default=False, help="Whether a job runs on spot capacity: cheaper, and interrupted when Amazon needs it."
    )
    max_wait_time_in_seconds = Whole(
        least=1,
        default=None,
        allow_none=True,
        help="With spot capacity: how long a job may take in all, with the waiting. Default: 1.5 times "
        "max_runtime_in_seconds.",
    )
    fallback = Choice(
        *("none", "on_demand"),
        default="none",
        help="What a job does when there is no spot capacity, or its max_wait_time_in_seconds is over: it ends, or "
        "goes on on demand from its last checkpoint.",
    )
    retry_on = ErrorNames(
        help="Errors after which a job is tried again: OutOfMemory on the next larger instance type, others as before."
    )
    max_attempts = Whole(least=1, most=10, default=3, help="How often a call is tried in all because of retry_on.")
    checkpoint_s3_uri = Text(
        "s3://bucket or s3://bucket/prefix",
        pattern=_S3_URI,
        help="Where a job's checkpoints are kept. Default: with spot capacity a place below s3_root_uri for each "
        "function and its arguments; else none.",
    )
    checkpoint_local_path = Text(
        "an absolute path",
        default="/opt/ml/checkpoints",
        pattern=r"/[\s\S]*",
        allow_none=False,
        help="Where a job finds its checkpoints, and what is synchronised with checkpoint_s3_uri.",
    )
    checkpoint_warning_s = Seconds(
        default=1800.0, help="With spot capacity: a last checkpoint that is older than this is said in the job's log."
    )
    resume = Flag(
        default=True,
        help="Whether a job goes on from checkpoints that other jobs left unfinished at the same place. It always goes "
        "on from its own.",
    )
    role = Text(
        "the ARN or the name of an execution role",
        help="The execution role of jobs on SageMaker. Default: that of the running environment, where SageMaker may "
        "take it on; else one must be named.",
    )
    s3_root_uri = Text(
        "s3://bucket or s3://bucket/prefix",
        pattern=_S3_URI,
        help="Where functions, data and results are stored. Default: a private directory locally, the account's "
        "SageMaker bucket on SageMaker.",
    )
    region = Text(
        "the name of a region such as 'eu-west-1'",
        pattern=r"[a-z0-9-]+",
        help="The AWS region. Default: that of the AWS configuration.",
    )
    tags = Tags(
        "a dict or table of texts by key, or a list of pairs; a key that begins with aws: is AWS's own",
        name_pattern=r"(?i:(?!aws:))[\s\S]+",  # Source: API_Tag, Key
        help="Tags of the job.",
    )
    enable_network_isolation = Flag(default=False, help="Whether the job's container has no network.")
    disable_output_compression = Flag(
        default=True,
        help="Whether the files that a job leaves are stored one by one; else as archives, output.tar.gz and "
        "model.tar.gz.",
    )
    extra_request = ExtraRequest(
        "a dict or table of members of CreateTrainingJob as the API spells them",
        help="What the request says beyond all other settings: merged into it last. Tables are merged, lists replaced, "
        "and what is None is left out.",
    )
    stream_logs = Flag(default=True, help="Whether a blocking call prints the job's log as it comes.")
    cell_limit_bytes = Whole(
        least=1,
        default=1_000_000_000,
        help="A %%remote cell that would send or give back more than this is asked about first: --yes goes on.",
    )
    on_interrupt = Choice(
        *("stop", "detach"), default="stop", help="What an interrupt of a blocking call does to its job."
    )
    max_parallel_jobs = Whole(least=1, default=4, help="How many jobs of one map or executor run at once.")
    install_limit_s = Seconds(
        default=900.0, help="How long the installer may take to resolve or install the packages of a call."
    )


_KINDS: dict[str, Kind] = {name: trait for name, trait in Settings.class_traits().items() if isinstance(trait, Kind)}
NAMES: tuple[str, ...] = tuple(
    name for kinds in (Settings, ServiceSettings, CloudSettings) for name in vars(kinds) if name in _KINDS
)
"""All settings, in the order of the classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingDescription:
    """What a person is told about a setting."""

    name: str
    help: str
    accepts: str
    default: Any
    environment_variable: str
    choices: tuple[str, ...]
    is_flag: bool


def describe_settings() -> tuple[SettingDescription, ...]:
    """Describes every setting, in the order of the class."""
    return tuple(_describe(name, _KINDS[name]) for name in NAMES)


def find_kind(name: str) -> Kind:
    """The kind of a setting's values."""
    return _KINDS[name]


def check_names(names: Iterable[str], *, origin: str) -> None:
    """Refuses names that are no settings.

    Args:
        names: Names of settings, or a mapping by them.
        origin: Who gives them, for the message: a file, ``@remote(...)``.

    Raises:
        ConfigError: One is unknown; the nearest name is offered. Or it is a parameter of the SageMaker SDK's that
            is refused here, and is set.
    """
    values = names if isinstance(names, Mapping) else {}
    for name in names:
        if name not in _KINDS and not (name in REFUSED and values.get(name, name) is None):
            raise refuse_name(str(name), NAMES, origin=origin)


def refuse_name(name: str, known: Iterable[str], *, origin: str) -> ConfigError:
    """Builds the error for an unknown setting, or one that is refused."""
    plain = name.removeprefix("SM_REMOTE_").lower().replace("-", "_")
    if plain in REFUSED:
        return refuse_parameter(plain, origin=origin)
    near = get_close_matches(name.replace("-", "_") if name.islower() else name, list(known), n=1, cutoff=0.6)
    advice = f"Did you mean {near[0]!r}? " if near else ""
    return ConfigError(
        f"{origin} sets {name!r}, which is not a setting.",
        fix=f"{advice}`sm-remote config` lists all settings.",
        name=name,
        origin=origin,
        nearest=near[0] if near else None,
    )


def check_values(values: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """Checks names and values and returns the values as they are kept; nothing that was passed in is kept or changed.

    Raises:
        ConfigError: A name is unknown or a value is not accepted.
    """
    check_names(values, origin=origin)
    return {name: check_value(name, value, origin=origin) for name, value in values.items() if name not in REFUSED}


def check_value(name: str, value: Any, *, origin: str) -> Any:
    """Checks one value.

    Raises:
        ConfigError: It is not accepted.
    """
    kind = _KINDS[name]
    try:
        return kind.validate(None, value)
    except TraitError as error:
        raise _refuse_value(name, _show_value(kind, value), f"{error}", origin=origin) from error


def read_text(name: str, text: str, *, origin: str) -> Any:
    """Reads a setting from an environment variable's text.

    Raises:
        ConfigError: It cannot be read or is not accepted.
    """
    try:
        value = _KINDS[name].from_string(text)
    except ValueError as error:
        raise _refuse_value(name, repr(text), f"The text cannot be read ({error})", origin=origin) from error
    return check_value(name, value, origin=origin)


@lru_cache(maxsize=1)
def read_defaults() -> Mapping[str, Any]:
    """The defaults, by name."""
    settings = Settings()
    return {name: getattr(settings, name) for name in NAMES}


def environment_variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"SM_REMOTE_{name.upper()}"


def _describe(name: str, kind: Kind) -> SettingDescription:
    return SettingDescription(
        name=name,
        help=str(kind.help),
        accepts=kind.accepts,
        default=read_defaults()[name],
        environment_variable=environment_variable(name),
        choices=kind.words if isinstance(kind, Choice) else (),
        is_flag=isinstance(kind, Flag),
    )


def _show_value(kind: Kind, value: Any) -> str:
    # An environment variable of the job may hold a secret, and an input all of somebody's data.
    if isinstance(kind, (TextMap, Inputs)) and not isinstance(value, str):
        return f"this {type(value).__name__}"
    return f"{value!r:.200}"


def _refuse_value(name: str, shown: str, reason: str, *, origin: str) -> ConfigError:
    return ConfigError(
        f"The setting {name} cannot be {shown} (from {origin}).",
        why=f"{reason}.",
        fix=f"Give {_KINDS[name].accepts}.",
        name=name,
        origin=origin,
    )
