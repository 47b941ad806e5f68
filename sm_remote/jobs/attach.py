"""Coming back to jobs: by name, from any process, also when the one that made them is gone."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from sm_remote.aws.local_service import ServiceOptions
from sm_remote.aws.responses import TrainingJobSummary
from sm_remote.aws.s3_terms import S3Terms
from sm_remote.errors import JobNotFound
from sm_remote.home import find_home
from sm_remote.jobs.connection import Connection, connect
from sm_remote.jobs.creation.charges import find_charges
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.plain_errors import raise_plainly
from sm_remote.jobs.outcome.results import conclude
from sm_remote.jobs.succession.chain import find_chain
from sm_remote.settings import ResolvedSettings, resolve_settings

SEARCHED = 500
"""How many of the newest jobs are looked through for a name that was mistyped or cut short."""


def connect_with(settings: ResolvedSettings) -> Connection:
    """The connection that settings ask for, made once."""
    return connect(
        target=settings.target,
        home=find_home(),
        region=settings.region,
        options=choose_service(settings),
        terms=choose_terms(settings),
        boto_session=settings.sagemaker_session,
    )


def choose_terms(settings: ResolvedSettings) -> S3Terms:
    """What the settings say of buckets."""
    return S3Terms(bucket_owner=settings.bucket_owner, kms_key=settings.s3_kms_key)


def choose_service(settings: ResolvedSettings) -> ServiceOptions:
    """What the settings say of the local service."""
    return ServiceOptions(
        engine=settings.engine,
        idle_s=settings.service_idle_s,
        max_parallel_jobs=settings.service_max_parallel_jobs,
        container_credentials=settings.container_credentials,
    )


@raise_plainly
def attach(name: str, *, target: str | None = None) -> Job[Any]:
    """Returns a job that exists, whoever made it and wherever.

    Where another job goes on with its work, that one is returned, and what was to follow it still does.

    Args:
        name: The training job's name, or that of an earlier or later one of the same call.
        target: ``"local"`` or ``"sagemaker"``; by default what the settings say.

    Raises:
        JobNotFound: No job has this name; the message names close matches.
    """
    connection = connect_with(resolve_settings({} if target is None else {"target": target}))
    return attach_through(connection, name)


def attach_through(connection: Connection, name: str, *, conclude: Callable[..., Any] = conclude) -> Job[Any]:
    """`attach`, over a connection that is there; `conclude` makes the job's value of its end."""
    try:
        description = connection.training_jobs.describe(name)
    except JobNotFound as error:
        raise _explain_not_found(connection, name) from error
    *earlier, newest = find_chain(connection, description)
    job: Job[Any] = Job(
        newest.name,
        connection,
        conclude=conclude,
        earlier_names=[each.name for each in earlier],
        charges=find_charges(connection),
    )
    job._attach(newest)
    return job


def resolve_name(connection: Connection, name: str, *, live: bool = False) -> str:
    """Completes an unambiguous beginning of a job's name.

    Args:
        connection: Where to look.
        name: A whole name or the beginning of one.
        live: Whether of several that begin so the only one that still runs is meant.

    Raises:
        JobNotFound: No job, or several, begin so.
    """
    newest = list(islice(connection.training_jobs.list_all(), SEARCHED))
    names = [row.name for row in newest]
    if name in names:
        return name
    found = [candidate for candidate in names if candidate.startswith(name)]
    running = [row.name for row in newest if row.name in found and not row.status.is_terminal]
    if live and len(running) == 1:
        return running[0]
    if len(found) == 1:
        return found[0]
    if found:
        raise JobNotFound(
            f"{len(found)} training jobs begin with {name!r}.",
            why="They are: " + ", ".join(found[:5]) + (", ..." if len(found) > 5 else "."),
            fix="Give more of the name.",
            job_name=name,
        )
    try:
        connection.training_jobs.describe(name)  # it may be older than those searched
    except JobNotFound as error:
        raise _explain_not_found(connection, name) from error
    return name


def _explain_not_found(connection: Connection, name: str) -> JobNotFound:
    names = [row.name for row in islice(connection.training_jobs.list_all(), SEARCHED)]
    close = [candidate for candidate in names if candidate.startswith(name)][:3]
    close = close or difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return JobNotFound(
        f"There is no training job {name!r} on the target {connection.target!r}.",
        why="Close matches: " + ", ".join(close) + "." if close else "",
        fix="`sm-remote jobs` lists the newest.",
        job_name=name,
        close_matches=close,
    )


@raise_plainly
def list_jobs(
    *,
    limit: int | None = 100,
    status: str | None = None,
    name_contains: str | None = None,
    created_after: datetime | None = None,
    target: str | None = None,
) -> list[TrainingJobSummary]:
    """Lists training jobs, newest first.

    Args:
        limit: At most so many; None for all.
        status: ``InProgress``, ``Completed``, ``Failed``, ``Stopping`` or ``Stopped``.
        name_contains: Part of the name.
        created_after: Only jobs younger than this moment.
        target: ``"local"`` or ``"sagemaker"``; by default what the settings say.
    """
    connection = connect_with(resolve_settings({} if target is None else {"target": target}))
    rows: Iterator[TrainingJobSummary] = connection.training_jobs.list_all(
        status=status, name_contains=name_contains, created_after=created_after
    )
    return list(islice(rows, limit))
