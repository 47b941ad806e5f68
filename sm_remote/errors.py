"""Every error that sm_remote raises, in one tree.

    RemoteError
    ├── ConfigError (ValueError)      a setting or an argument of ours is wrong: nothing was sent
    │   └── MaxCostExceeded           a job may cost more than max_cost or max_cost_per_day
    ├── CaptureError (TypeError)      the function or an argument cannot travel: nothing was sent
    │   ├── PreflightFailed           a module that it needs would not be there in the job
    │   └── UndefinedName (NameError)  a cell reads a name that neither it nor the notebook has
    ├── StorageError (OSError)        the store cannot be read or written
    │   └── CorruptBlob               its bytes are not the ones that were promised
    ├── CheckpointError               a checkpoint cannot be saved or taken up
    ├── DrillFailed (AssertionError)  an interrupted job came to another value than an uninterrupted one
    ├── ImageBuildFailed              an `Image` cannot be built or pushed: no job was sent
    ├── EngineUnavailable             no container engine answers
    ├── ServiceUnavailable            the training-job API cannot be reached
    │   └── Throttled                 it asked to slow down, and did so after every retry
    ├── CredentialsExpired            the AWS credentials expired or are gone: sign in again, jobs go on
    ├── SubmitError                   the API refused the job
    │   └── JobNameInUse
    ├── JobNotFound (LookupError)
    └── JobError                      a job that exists ended without a value
        ├── JobFailed
        │   ├── OutOfMemory (MemoryError)
        │   ├── ModuleMissing (ModuleNotFoundError)
        │   ├── DependencyInstallFailed
        │   └── TimedOut              the job's own limit, not a waiting caller's
        │       └── MaxCostReached    that limit came from max_cost
        ├── JobStopped
        └── OutcomeMissing            it ended well, but its value cannot be had

The user's own exception is none of these: it comes back as itself. Each message has three parts (what happened,
why, what to do) and its facts as attributes, so a program need not parse the text.
This module also travels into jobs: the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class RemoteError(Exception):
    """Anything that sm_remote itself reports.

    Args:
        what: What happened, with names and values, as one sentence.
        why: The cause, as far as it is known.
        fix: What the reader can do about it.
        **facts: Values behind the sentence (``job_name=...``); readable as attributes through ``facts``.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", **facts: Any) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.facts = facts

    def __str__(self) -> str:
        return render_parts(self.what, self.why, self.fix)

    def __reduce__(self) -> tuple[Callable[..., RemoteError], tuple[Any, ...]]:
        return _rebuild_error, (type(self), self.what, self.why, self.fix, self.facts)


def _rebuild_error(kind: type[RemoteError], what: str, why: str, fix: str, facts: dict[str, Any]) -> RemoteError:
    return kind(what, why=why, fix=fix, **facts)


def render_parts(what: str, why: str, fix: str) -> str:
    """Joins the three parts of a message, one a line, leaving out those that are empty."""
    return "\n".join(part for part in (what, why, fix) if part)


class ConfigError(RemoteError, ValueError):
    """A setting, an argument of ours or a configuration file is wrong."""


class MaxCostExceeded(ConfigError):
    """A job may cost more than ``max_cost`` or ``max_cost_per_day`` allow, or nobody knows what it costs."""


class CaptureError(RemoteError, TypeError):
    """The function, an argument or something they refer to cannot travel."""


class PreflightFailed(CaptureError):
    """A module that the function or an argument needs is in no package, source or image that the job would have.

    ``facts["missing"]`` maps each such module to what brought it.
    """


class UndefinedName(CaptureError, NameError):
    """A cell reads a name that the notebook does not have and that the cell itself cannot have defined before."""


class StorageError(RemoteError, OSError):
    """The store could not be read or written."""


class CorruptBlob(StorageError):
    """An object's bytes do not have the digest under which they are filed."""


class CheckpointError(RemoteError):
    """A checkpoint cannot be saved or taken up: a full disk, another function's, or open in another process."""


class DrillFailed(RemoteError, AssertionError):
    """In a fire-drill an interrupted job came to another value than the same call without interruptions, or to none."""


class ImageBuildFailed(RemoteError):
    """An `Image` could not be built, or not be pushed to its registry.

    ``facts`` holds ``step`` and ``log`` (its last lines) where they are known.
    """


class EngineUnavailable(RemoteError):
    """The container engine that was asked for does not answer."""


class ServiceUnavailable(RemoteError):
    """The training-job API could not be reached, or is of another version."""


class Throttled(ServiceUnavailable):
    """The API asked to slow down, and did so after every retry. Waiting for jobs never ends with it."""


class CredentialsExpired(RemoteError):
    """The AWS credentials are no longer good, or are gone. Jobs go on: after a new sign-in, `result` goes on, too."""


class SubmitError(RemoteError):
    """The API refused to create the training job."""


class JobNameInUse(SubmitError):
    """A training job of this name exists already."""


class JobNotFound(RemoteError, LookupError):
    """No training job has this name."""


class JobError(RemoteError):
    """A training job ended without a value."""


class JobFailed(JobError):
    """The job ended as Failed for a reason that is not the user's own exception."""


class OutOfMemory(JobFailed, MemoryError):
    """The job needed more memory than its instance type has.

    ``facts`` holds ``limit_bytes`` and ``peak_bytes`` where they are known.
    """


class ModuleMissing(JobFailed, ModuleNotFoundError):
    """A module that the function imports is not there in the job."""


class DependencyInstallFailed(JobFailed):
    """A package that the function needs could not be put into its environment."""


class TimedOut(JobFailed):
    """The job ran longer than ``max_runtime_in_seconds``. Not a builtin ``TimeoutError``: that is the caller's."""


class MaxCostReached(TimedOut):
    """SageMaker stopped the job when it had run for as long as ``max_cost`` pays for."""


class JobStopped(JobError):
    """Somebody stopped the job."""


class OutcomeMissing(JobError):
    """The job ended, but its value is absent, altered or cannot be read here."""
