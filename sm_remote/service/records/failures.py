"""The texts of FailureReason.

Source: forms seen on SageMaker (``AlgorithmError: <failure file>, exit code: N`` and so on); the parts in parentheses
and the killed-from-outside form are ours.
"""

from __future__ import annotations

from sm_remote.service.engines.engine import ContainerExit

MAX_CHARACTERS = 1024
_SIGKILL_CODE = 137
_OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, "
    "or reduce the size of job data processed on an instance."
)
CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
_INTERNAL = "InternalServerError: We encountered an internal error. Please try again."


def render_exit(ended: ContainerExit, failure_text: str, *, memory_limit_bytes: int | None) -> str | None:
    """The reason that a container's end gives, or None when it ended well.

    Args:
        ended: How it ended.
        failure_text: What the job wrote to /opt/ml/output/failure.
        memory_limit_bytes: What it was allowed.
    """
    if ended.code == 0:
        return None
    suffix = f", exit code: {ended.code}"
    if ended.out_of_memory and ended.code == _SIGKILL_CODE:
        limit, peak = _count(memory_limit_bytes), _count(ended.peak_memory_bytes)
        return f"{_OUT_OF_MEMORY} (limit {limit}, peak {peak}){suffix}"
    if not failure_text and ended.code == _SIGKILL_CODE:
        failure_text = "container was killed from outside (SIGKILL)"
    return _fit("AlgorithmError: ", failure_text, suffix)


def render_download_failure(why: str) -> str:
    """A channel could not be provided."""
    return _fit("ClientError: Data download failed:", why, "")


def render_credentials_failure(why: str) -> str:
    """The credentials that the job's code was to have are not to be had."""
    return _fit("ClientError: No credentials for the training container: ", why, "")


def render_secrets_failure(why: str) -> str:
    """The values of the job's secrets are not to be had."""
    return _fit("ClientError: No secrets for the training container: ", why, "")


def render_image_failure(why: str) -> str:
    """The image cannot be had."""
    return _fit("ClientError: Unable to download training image: ", why, "")


def render_start_failure(why: str) -> str:
    """The engine would not start the container."""
    return _fit("ClientError: Unable to start the training container: ", why, "")


def render_upload_failure(why: str) -> str:
    """The outputs could not be written to where the request wants them."""
    return _fit("ClientError: Artifact upload failed:", why, "")


def render_internal_failure(why: str) -> str:
    """Neither the job nor its request is to blame."""
    return _fit(f"{_INTERNAL} (", why, ")")


def _fit(prefix: str, text: str, suffix: str) -> str:
    return prefix + text[: MAX_CHARACTERS - len(prefix) - len(suffix)] + suffix


def _count(size: int | None) -> str:
    return "unknown" if size is None else f"{size} bytes"
