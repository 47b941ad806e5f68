"""Which checkpoints are to be uploaded or deleted now. Pure but for what it remembers from one look to the next.

Source: SageMaker Developer Guide, "Use checkpoints in Amazon SageMaker": files are uploaded while the job runs, and
one that is deleted in the container is deleted in S3. Its interval is undocumented; that a file must have stood still
is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from sm_remote.service.checkpoints.job_files import JobFile, Stamp

UPLOADING = ".sagemaker-uploading"
UPLOADED = ".sagemaker-uploaded"
IGNORED = ".sagemaker-ignore"


def is_marker(relative: str) -> bool:
    """Whether a file only says of another one how far its upload is."""
    return relative.endswith((UPLOADING, UPLOADED))


def is_synchronised(relative: str) -> bool:
    """Whether a file is a checkpoint at all: it is not where it, or a directory above it, is to be ignored.

    Source: the names that AWS's XGBoost container counts on, which are of files; that a directory's name holds for all
    that is in it is ours.
    """
    return not is_marker(relative) and not any(part.endswith(IGNORED) for part in PurePosixPath(relative).parts)


def find_stale_markers(files: Mapping[str, JobFile]) -> list[str]:
    """Markers whose file is gone."""
    return [
        relative
        for relative in files
        if is_marker(relative) and relative.removesuffix(UPLOADING).removesuffix(UPLOADED) not in files
    ]


@dataclass(slots=True)
class _Sight:
    """How a path was first seen, and when: a stamp, or None for a file that is gone."""

    stamp: Stamp | None
    since_s: float


class Stillness:
    """Knows since when each path that differs from S3 has been as it is."""

    def __init__(self) -> None:
        self._seen: dict[str, _Sight] = {}

    def observe(self, changed: Iterable[JobFile], gone: Iterable[str], now_s: float) -> None:
        """Takes in one look at all that differs."""
        sights: dict[str, Stamp | None] = {file.relative: file.stamp for file in changed}
        sights.update(dict.fromkeys(gone))
        self._seen = {
            path: seen if (seen := self._seen.get(path)) and seen.stamp == stamp else _Sight(stamp, now_s)
            for path, stamp in sights.items()
        }

    def age_s(self, relative: str, now_s: float) -> float:
        """For how long an observed path has been as it is."""
        return now_s - self._seen[relative].since_s
