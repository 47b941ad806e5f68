"""The log group of training jobs, and where its streams lie: ``<job>/algo-<n>-<time>`` is a file of that job."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_remote.home import LOCAL_ACCOUNT, LOCAL_REGION
from sm_remote.service.api.errors import no_log_group, no_log_stream

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
GROUP_ARN = f"arn:aws:logs:{LOCAL_REGION}:{LOCAL_ACCOUNT}:log-group:{LOG_GROUP}"
_STREAM = re.compile(r"([a-zA-Z0-9][a-zA-Z0-9-]*)/(algo-[0-9]+-[0-9]+)")
_JOB = re.compile(r"[a-zA-Z0-9-]+")
_SUFFIX = ".log"


class LogStreams:
    """Finds streams.

    Args:
        logs: The directory with one directory for each job.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def find(self, prefix: str) -> dict[str, Path]:
        """The files of all streams whose name begins with a string, by name."""
        job_name, slash, _ = prefix.partition("/")
        if slash:
            jobs = [self._logs / job_name] if _JOB.fullmatch(job_name) else []
        else:
            jobs = [entry for entry in _list(self._logs) if entry.name.startswith(prefix)]
        files = {f"{job.name}/{path.stem}": path for job in jobs for path in _list(job) if path.suffix == _SUFFIX}
        return {name: path for name, path in files.items() if _STREAM.fullmatch(name) and name.startswith(prefix)}

    def get(self, name: str) -> tuple[str, Path]:
        """The job and the file of a stream.

        Raises:
            ApiError: There is none of this name.
        """
        parsed = _STREAM.fullmatch(name)
        if parsed is None:
            raise no_log_stream()
        path = self._logs / parsed[1] / f"{parsed[2]}{_SUFFIX}"
        if not path.is_file():
            raise no_log_stream()
        return parsed[1], path


def check_group(request: Mapping[str, Any]) -> None:
    """Refuses a request for another log group.

    Raises:
        ApiError: ``ResourceNotFoundException``.
    """
    group = request.get("logGroupName") or request.get("logGroupIdentifier", "")
    if group not in (LOG_GROUP, GROUP_ARN):
        raise no_log_group()


def _list(directory: Path) -> list[Path]:
    try:
        return [directory / name for name in os.listdir(directory)]
    except (FileNotFoundError, NotADirectoryError):
        return []
