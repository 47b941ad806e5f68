"""What a job left in its store, as the panel lists it."""

from __future__ import annotations

import re
from typing import IO, Any

from sm_remote.errors import JobError
from sm_remote.jobs.artifacts.downloads import OUR_OUTPUT
from sm_remote.storage import Store

MOST_FILES = 500


def list_artefacts(store: Store, job_name: str) -> list[dict[str, Any]]:
    """The files of a job's model and output data: kind, path and size; sm_remote's own left out."""
    prefix = f"{job_name}/output/"
    found = []
    for entry in store.list(prefix):
        path = entry.key.removeprefix(prefix)
        if path.startswith(f"data/{OUR_OUTPUT}/"):
            continue
        found.append({"path": path, "kind": _kind_of(path), "size_bytes": entry.size_bytes})
        if len(found) == MOST_FILES:
            break
    return found


def open_artefact(store: Store, job_name: str, path: str) -> tuple[IO[bytes], int, str]:
    """One of those files, open: (content, size in bytes, a name that is safe in a header).

    Raises:
        JobError: The job left no such file.
    """
    listed = {entry["path"]: entry for entry in list_artefacts(store, job_name)}
    if path not in listed:
        raise JobError(f"Training job {job_name} left no such file.", fix="Refresh the list.", job_name=job_name)
    content = store.fetch(f"{job_name}/output/{path}")
    name = re.sub(r"[^A-Za-z0-9._-]", "_", path.rpartition("/")[2]) or "file"
    return content.open("rb"), int(listed[path]["size_bytes"]), name


def _kind_of(path: str) -> str:
    return "model" if path.startswith("model") else "output"
