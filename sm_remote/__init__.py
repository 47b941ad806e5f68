"""Run a notebook function as a SageMaker training job, on this machine or on AWS.

Names only: each is imported when it is first used. Inside a job, where this package comes from the zip that travelled
with the function, the same names lead to what they mean there: a decorated function runs in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sm_remote.capture.file_filter import CustomFileFilter
    from sm_remote.checkpoints.checkpoint import checkpoint
    from sm_remote.checkpoints.location import CheckpointLocation
    from sm_remote.decorator import remote
    from sm_remote.errors import (
        CaptureError,
        CheckpointError,
        ConfigError,
        CorruptBlob,
        CredentialsExpired,
        DependencyInstallFailed,
        DrillFailed,
        EngineUnavailable,
        ImageBuildFailed,
        JobError,
        JobFailed,
        JobNameInUse,
        JobNotFound,
        JobStopped,
        MaxCostExceeded,
        MaxCostReached,
        ModuleMissing,
        OutcomeMissing,
        OutOfMemory,
        PreflightFailed,
        RemoteError,
        ServiceUnavailable,
        StorageError,
        SubmitError,
        Throttled,
        TimedOut,
        UndefinedName,
    )
    from sm_remote.executor import RemoteExecutor
    from sm_remote.image.definition import Image
    from sm_remote.inputs import FileSystemInput, ShuffleConfig, TrainingInput
    from sm_remote.jobs.attach import attach, list_jobs
    from sm_remote.jobs.futures import get_future, list_futures
    from sm_remote.jobs.job import Job
    from sm_remote.jobs.repetition.diff import diff
    from sm_remote.jobs.repetition.replay import replay

__version__ = "0.1.0"

__all__ = [
    # functions as training jobs
    "remote",
    "RemoteExecutor",
    "Image",
    "CustomFileFilter",
    # data of a job's channels
    "TrainingInput",
    "FileSystemInput",
    "ShuffleConfig",
    # what an interruption does not lose
    "checkpoint",
    "CheckpointLocation",
    # jobs
    "Job",
    "attach",
    "list_jobs",
    "get_future",
    "list_futures",
    "replay",
    "diff",
    # errors, as their tree is drawn in sm_remote.errors
    "RemoteError",
    "ConfigError",
    "MaxCostExceeded",
    "CaptureError",
    "PreflightFailed",
    "UndefinedName",
    "StorageError",
    "CorruptBlob",
    "CheckpointError",
    "DrillFailed",
    "ImageBuildFailed",
    "EngineUnavailable",
    "ServiceUnavailable",
    "Throttled",
    "CredentialsExpired",
    "SubmitError",
    "JobNameInUse",
    "JobNotFound",
    "JobError",
    "JobFailed",
    "OutOfMemory",
    "ModuleMissing",
    "DependencyInstallFailed",
    "TimedOut",
    "MaxCostReached",
    "JobStopped",
    "OutcomeMissing",
]

_CLIENT_MODULES = {
    "remote": "sm_remote.decorator",
    "RemoteExecutor": "sm_remote.executor",
    "Image": "sm_remote.image",
    "CustomFileFilter": "sm_remote.capture.file_filter",
    "TrainingInput": "sm_remote.inputs",
    "FileSystemInput": "sm_remote.inputs",
    "ShuffleConfig": "sm_remote.inputs",
    "Job": "sm_remote.jobs",
    "attach": "sm_remote.jobs",
    "list_jobs": "sm_remote.jobs",
    "get_future": "sm_remote.jobs.futures",
    "list_futures": "sm_remote.jobs.futures",
    "replay": "sm_remote.jobs.repetition.replay",
    "diff": "sm_remote.jobs.repetition.diff",
}
_SHARED_MODULES = {
    "checkpoint": "sm_remote.checkpoints.checkpoint",
    "CheckpointLocation": "sm_remote.checkpoints.location",
}
"""The same inside a job and outside of one."""


def _is_in_job() -> bool:
    """Whether this package was loaded from the zip that travels with a function."""
    return type(__spec__.loader).__name__ == "zipimporter"


def _find_module(name: str) -> str:
    if name in _CLIENT_MODULES:
        return "sm_remote.runtime.api" if _is_in_job() else _CLIENT_MODULES[name]
    return _SHARED_MODULES.get(name, "sm_remote.errors")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_find_module(name)), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext sm_remote`` calls: registers the magics ``%%remote`` and ``%remote``."""
    from sm_remote.notebook.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What ``%unload_ext sm_remote`` calls."""
    from sm_remote.notebook.extension import unload

    unload(shell)
