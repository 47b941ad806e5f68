"""The SageMaker SDK's names for coming back to jobs: `get_future` and `list_futures` give the same `Job` as `attach`.

What differs from the SDK's is what a `Job` can do more: it is a `concurrent.futures.Future`, and its value is fetched
beside the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sm_remote.errors import ConfigError, JobNotFound
from sm_remote.jobs.attach import attach_through, connect_with
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.job import Job
from sm_remote.jobs.plain_errors import raise_plainly
from sm_remote.settings import resolve_settings


@raise_plainly
def get_future(job_name: str, sagemaker_session: None = None, *, target: str | None = None) -> Job[Any]:
    """Returns the future of a training job that exists, whoever made it.

    Args:
        job_name: The training job's name.
        sagemaker_session: Cannot be given; here for the SDK's signature.
        target: ``"local"`` or ``"sagemaker"``; by default what the settings say.

    Raises:
        JobNotFound: No job has this name; the message names close matches.
        ConfigError: A ``sagemaker_session`` was given.
    """
    return attach_through(_connect("get_future", sagemaker_session, target), job_name)


@raise_plainly
def list_futures(
    job_name_prefix: str, sagemaker_session: None = None, *, target: str | None = None
) -> Iterator[Job[Any]]:
    """Lists the futures of the training jobs whose names begin so, newest first; each is looked at when it is taken.

    Args:
        job_name_prefix: What their names begin with.
        sagemaker_session: Cannot be given; here for the SDK's signature.
        target: ``"local"`` or ``"sagemaker"``; by default what the settings say.

    Raises:
        ConfigError: A ``sagemaker_session`` was given.
    """
    return list_futures_through(_connect("list_futures", sagemaker_session, target), job_name_prefix)


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


def _connect(called: str, session: Any, target: str | None) -> Connection:
    if session is not None:
        raise ConfigError(
            f"{called}(sagemaker_session=...) cannot hold.",
            why=f"A {type(session).__name__} brings clients of its own, and sm_remote watches all jobs through one "
            "connection.",
            fix="Leave it out: credentials and region are those that boto3 finds (AWS_PROFILE, AWS_DEFAULT_REGION), or "
            "the settings `region` and `target`.",
            name="sagemaker_session",
        )
    return connect_with(resolve_settings({} if target is None else {"target": target}))
