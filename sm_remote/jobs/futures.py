"""The SageMaker SDK's names for coming back to jobs: `get_future` and `list_futures` give the same `Job` as `attach`.

What differs from the SDK's is what a `Job` can do more: it is a `concurrent.futures.Future`, and its value is fetched
beside the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sm_remote.errors import JobNotFound
from sm_remote.jobs.attach import attach_through, connect_with
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.plain_errors import raise_plainly
from sm_remote.settings import resolve_settings


@raise_plainly
def get_future(job_name: str, sagemaker_session: Any = None, *, target: str | None = None) -> Job[Any]:
    """Returns the future of a training job that exists, whoever made it.

    Args:
        job_name: The training job's name.
        sagemaker_session: A session of boto3 or of the SageMaker SDK; by default what the settings say.
        target: ``"local"`` or ``"sagemaker"``; by default what the settings say.

    Raises:
        JobNotFound: No job has this name; the message names close matches.
        ConfigError: ``sagemaker_session`` is no session.
    """
    return attach_through(_connect(sagemaker_session, target), job_name)


@raise_plainly
def list_futures(
    job_name_prefix: str, sagemaker_session: Any = None, *, target: str | None = None
) -> Iterator[Job[Any]]:
    """Lists the futures of the training jobs whose names begin so, newest first; each is looked at when it is taken.

    Args:
        job_name_prefix: What their names begin with.
        sagemaker_session: A session of boto3 or of the SageMaker SDK; by default what the settings say.
        target: ``"local"`` or ``"sagemaker"``; by default what the settings say.

    Raises:
        ConfigError: ``sagemaker_session`` is no session.
    """
    return list_futures_through(_connect(sagemaker_session, target), job_name_prefix)


def list_futures_through(connection: Connection, prefix: str) -> Iterator[Job[Any]]:
    """`list_futures`, over a connection that is there."""
    # The API knows only what a name contains. Source: API_ListTrainingJobs, NameContains.
    for row in connection.training_jobs.list_all(name_contains=prefix or None):
        if row.name.startswith(prefix):
            job = None
            with suppress(JobNotFound):  # it was deleted since the list was made
                job = attach_through(connection, row.name)
            if job is not None:
                yield job


def _connect(session: Any, target: str | None) -> Connection:
    return connect_with(resolve_settings({"sagemaker_session": session, "target": target}))
