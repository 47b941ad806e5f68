"""Every path and key that client, job and service must spell alike.

Source for the container's paths: SageMaker Developer Guide, "How Amazon SageMaker Provides Training Information".
"""

from __future__ import annotations

import os

ML_ROOT_VARIABLE = "SM_REMOTE_ML_ROOT"
"""Set by the process engine where it cannot mount anything at /opt/ml."""

CHANNEL = "sm_remote"
"""The channel that carries runtime, manifest, function and arguments, each file named by its digest."""
LAYER_CHANNEL = "sm_remote_layer"
"""The channel whose directory is the function's installed packages."""

OUTCOME = "sm_remote/outcome"
"""The outcome, relative to /opt/ml/output/data (and so to ``<S3OutputPath>/<job>/output/data``)."""
UNPUBLISHED_OUTCOME = ".sm_remote-outcome"
"""Where the outcome is written before it is renamed to `OUTCOME`, in the same directory."""

CHECKPOINT_DIRECTORY = "checkpoints"
"""Below /opt/ml: where a job finds its checkpoints. Source: API_CheckpointConfig, LocalPath's default."""
CHECKPOINT_DIRECTORY_VARIABLE = "SM_REMOTE_CHECKPOINT_DIR"
"""Set where a decorated function runs outside of a job: where its checkpoints lie."""
FUNCTION_VARIABLE = "SM_REMOTE_FUNCTION"
"""Set while a decorated function runs: whose checkpoints those are that it saves."""
HOME_VARIABLE = "SM_REMOTE_FUNCTION_HOME"
"""Set beside a job's checkpoints: the notebook or the module that the function is from."""
RESUME_VARIABLE = "SM_REMOTE_RESUME"
"""``false`` where a job is not to take up what earlier ones left; ``true`` where it is, wherever the function was."""
CHECKPOINT_WATCH_VARIABLE = "SM_REMOTE_CHECKPOINT_WATCH"
"""``<s>,<s>``: by when a job on spot capacity should have a checkpoint, and how old the last may become."""
DRILL_VARIABLE = "SM_REMOTE_DRILL"
"""``<share>,deaf`` or ``<share>,hearing``: the job is part of a fire-drill."""
SECRET_PREFIX = "SM_REMOTE_SECRET_"  # noqa: S105 - a name
"""What the names of variables begin with that say where a secret's value is."""
SECRETS_FILE = "sm_remote_secrets"
"""Below /opt/ml/input/config: the pipe by which the local service gives secrets. SageMaker has none."""
RUN_VARIABLE = "SM_REMOTE_RUN"
"""Set where a job goes on with the work of another, whose name this is: its checkpoints are its own."""
COST_LIMIT_VARIABLE = "SM_REMOTE_COST_LIMIT"
"""What a job's call may cost; read by clients, and nothing to the job itself."""
SUCCESSION_VARIABLE = "SM_REMOTE_SUCCESSION"
"""What may follow a job that could not be had or has failed; read by clients, and nothing to the job itself."""

BLOBS = "blobs"
MANIFESTS = "channels"
LAYERS = "layers"
JOBS = "jobs"
INPUTS = "inputs"
"""Data of the user's own channels: ``inputs/<digest of all files>/<path>``."""


def ml_path(*parts: str) -> str:
    """A path below /opt/ml, or below what stands for it in this process.

    As text: a job that starts in 50 ms has no time to import pathlib.
    """
    return os.path.join(os.environ.get(ML_ROOT_VARIABLE, "/opt/ml"), *parts)


def blob_path(digest: str) -> str:
    """Where a content-addressed object lies in a job."""
    return ml_path("input", "data", CHANNEL, digest)


def blob_key(digest: str) -> str:
    """The key of a content-addressed object, below the store's root."""
    return f"{BLOBS}/{digest}"


def manifest_key(digest: str) -> str:
    """The key of the SageMaker manifest that lists a channel's objects."""
    return f"{MANIFESTS}/{digest}.manifest"


def input_prefix(digest: str) -> str:
    """Where the files of a channel lie, below the store's root; each under its own path."""
    return f"{INPUTS}/{digest}/"


def outcome_key(job_name: str) -> str:
    """The key of an uncompressed job's outcome, below ``S3OutputPath``."""
    return f"{job_name}/output/data/{OUTCOME}"


def output_archive_key(job_name: str) -> str:
    """The key of a job's output archive, below ``S3OutputPath``; it holds `OUTCOME` where output was compressed."""
    return f"{job_name}/output/output.tar.gz"


PROCESSES_VARIABLE = "SM_REMOTE_PROCESSES_PER_HOST"
"""How many processes of a job's function each host runs, ``auto`` for its GPUs; one where it is not set."""

LAUNCHER_VARIABLE = "SM_REMOTE_LAUNCHER"
"""What starts those processes: `MPIRUN`, or the runtime itself where it is not set."""
MPIRUN = "mpirun"
