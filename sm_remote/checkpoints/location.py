"""`CheckpointLocation`: a place in S3, as an argument of a call, that is a local directory inside the job."""

from __future__ import annotations

import os
import re

from sm_remote.wire.layout import CHECKPOINT_DIRECTORY_VARIABLE

_S3_URI = re.compile(r"(https|s3)://([^/]+)/?(.*)", re.DOTALL)


class CheckpointLocation(os.PathLike[str]):
    """An argument of a call whose files the platform keeps in S3, restores into each attempt, and synchronises.

    Inside the job ``os.fspath`` gives the local directory, so that it can be given to whatever takes a path. As in the
    SageMaker SDK. Source: sagemaker.remote_function, CheckpointLocation.

    Args:
        s3_uri: ``s3://bucket/prefix``.

    Raises:
        ValueError: It is no such URI.
    """

    def __init__(self, s3_uri: str) -> None:
        if not isinstance(s3_uri, str) or _S3_URI.fullmatch(s3_uri) is None:
            raise ValueError(f"CheckpointLocation should be specified with a valid S3 URI, not {s3_uri!r}")
        self._s3_uri = s3_uri

    @property
    def s3_uri(self) -> str:
        """The place in S3."""
        return self._s3_uri

    def __fspath__(self) -> str:
        """The directory: the job's own, or /opt/ml/checkpoints/ where there is no job."""
        given = os.environ.get(CHECKPOINT_DIRECTORY_VARIABLE)
        if given:
            return given
        if "TRAINING_JOB_NAME" not in os.environ:
            return "/opt/ml/checkpoints/"
        from sm_remote.checkpoints.place import find_job_directory

        return find_job_directory()

    def __repr__(self) -> str:
        return f"CheckpointLocation({self._s3_uri!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckpointLocation) and other._s3_uri == self._s3_uri

    def __hash__(self) -> int:
        return hash(self._s3_uri)
