"""What the commands ask of the API, as values that the renderers take. No text is made here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sm_remote.aws.responses import TrainingJobDescription, TrainingJobSummary
from sm_remote.costs import Spending, find_spending
from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration
from sm_remote.jobs.attach import resolve_name
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.job import Job
from sm_remote.jobs.logs.job_log import follow_log
from sm_remote.jobs.succession.attempts import Attempt
from sm_remote.jobs.succession.chain import list_chain
from sm_remote.jobs.succession.history import Phase, list_history


@dataclass(frozen=True, kw_only=True, slots=True)
class JobList:
    """Some training jobs, newest first.

    Attributes:
        target: Where they were asked for.
        rows: As many as were asked for.
        has_more: Whether the API has older ones.
    """

    target: str
    rows: Sequence[TrainingJobSummary]
    has_more: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDetails:
    """One training job with all that is known of it.

    Attributes:
        target: Where it is.
        description: The job.
        phases: Its own.
        tags: Its own.
        attempts: Of all the jobs of its call.
        stored: Its checkpoints in S3.
        chain: The names of the jobs of its call, where it is one of several.
        spending: What it has cost.
        call_usd: What all the jobs of its call have cost; None where a price is not known.
    """

    target: str
    description: TrainingJobDescription
    spending: Spending
    call_usd: float | None
    phases: Sequence[Phase]
    tags: dict[str, str]
    attempts: Sequence[Attempt] = ()
    stored: Sequence[StoredGeneration] = ()
    chain: Sequence[str] = ()


def fetch_jobs(
    connection: Connection, *, status: str | None = None, name_contains: str | None = None, limit: int | None = None
) -> JobList:
    """The newest jobs, and whether there are more than ``limit``."""
    found = connection.training_jobs.list_all(status=status, name_contains=name_contains)
    if limit is None:
        return JobList(target=connection.target, rows=list(found), has_more=False)
    rows = list(islice(found, limit + 1))
    return JobList(target=connection.target, rows=rows[:limit], has_more=len(rows) > limit)


def fetch_details(connection: Connection, name: str, *, now: datetime) -> JobDetails:
    """One job, by its name or an unambiguous beginning of it.

    Args:
        connection: Where it is.
        name: Its name.
        now: This moment, for what a job that runs has cost.

    Raises:
        JobNotFound: No job, or several, begin so.
    """
    full = resolve_name(connection, name)
    description = connection.training_jobs.describe(full)
    job: Job[object] = Job(full, connection)
    stored = job._list_checkpoints(description)
    chain = list_chain(connection, description)
    spent = {
        each.name: find_spending(each, connection.home, target=connection.target, now=now)
        for each in (*chain, description)
    }
    known = [each.usd for each in spent.values() if each.usd is not None]
    return JobDetails(
        target=connection.target,
        spending=spent[full],
        call_usd=sum(known) if len(known) == len(spent) else None,
        # The API names a model's place whether there is one or not; a person is told of a model.
        description=replace(description, model_uri=job.model_uri if description.status.is_terminal else None),
        phases=job.timeline(),
        tags=connection.training_jobs.list_tags(description.arn),
        attempts=list_history(chain, lambda _: [each.manifest for each in stored]),
        chain=[each.name for each in chain],
        stored=stored,
    )


def follow_from(connection: Connection, name: str, *, follow: bool) -> Iterator[str]:
    """The log of a job and of those that go on with its work, a line before each of them."""
    api = connection.training_jobs
    while True:
        yield from follow_log(api, name, follow=follow)
        names = [each.name for each in list_chain(connection, api.describe(name))]
        later = names[names.index(name) + 1 :]
        if not later:
            return
        name = later[0]
        yield f"---- training job {name} ----"
