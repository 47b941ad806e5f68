"""What a job left behind in S3: its model and its output data, packed or as single objects."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from sm_remote.errors import JobError
from sm_remote.jobs.artifacts.archive import extract_archive
from sm_remote.storage import Store
from sm_remote.wire.layout import OUTCOME

Kind = Literal["model", "data"]
OUR_OUTPUT = OUTCOME.partition("/")[0]
"""The directory of a job's output data that is sm_remote's own and nobody's to download."""

_ARCHIVES: dict[Kind, str] = {"model": "model.tar.gz", "data": "output.tar.gz"}
_WORDS: dict[Kind, tuple[str, str]] = {
    "model": ("model", "SM_MODEL_DIR"),
    "data": ("output data", "SM_OUTPUT_DATA_DIR"),
}


def is_there(store: Store, uri: str) -> bool:
    """Whether anything lies at the place that SageMaker names for a model; it names one in any case."""
    key = uri.removeprefix(store.root_uri + "/")
    if key.endswith(".tar.gz"):
        return store.head(key) is not None
    return next(iter(store.list(f"{key}/")), None) is not None


def download_artifacts(store: Store, job_name: str, kind: Kind, directory: Path) -> Path:
    """Copies a job's model or output data into a directory, and returns it.

    Args:
        store: The one below the job's ``S3OutputPath``.
        job_name: The job.
        kind: ``"model"`` or ``"data"``.
        directory: Made where it is not there.

    Raises:
        JobError: The job left nothing of this kind.
    """
    archive = f"{job_name}/output/{_ARCHIVES[kind]}"
    ours = OUR_OUTPUT if kind == "data" else ""
    directory.mkdir(parents=True, exist_ok=True)
    if store.head(archive) is not None:
        found = extract_archive(store.fetch(archive), directory, leave_out=ours)
    else:
        found = _copy_objects(store, f"{job_name}/output/{kind}/", directory, leave_out=ours)
    if not found:
        word, variable = _WORDS[kind]
        raise JobError(
            f"Training job {job_name} left no {word}.",
            why=f"There is nothing below {store.uri(f'{job_name}/output/')} but what is sm_remote's own.",
            fix=f"Save files into os.environ['{variable}'].",
            job_name=job_name,
        )
    return directory


def _copy_objects(store: Store, prefix: str, directory: Path, *, leave_out: str) -> int:
    keys = [found.key for found in store.list(prefix) if not found.key.startswith(f"{prefix}{leave_out}/")]
    for key in keys:
        content = store.fetch(key)  # before its directory is made: the store refuses keys that lead out
        target = directory / key.removeprefix(prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content, target)
    return len(keys)
