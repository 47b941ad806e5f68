"""The training-job API as the client uses it: one class over boto3, for SageMaker and for the local training service.

Foreign errors are translated here, once. Where the local service is addressed and has gone (idle, killed), it is
started again and the call repeated: jobs outlive it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar

from sm_remote.aws.creation import create_once
from sm_remote.aws.local_service import call_service
from sm_remote.aws.metrics import MetricCourse, build_queries, choose_period_s, parse_courses
from sm_remote.aws.refusals import (
    explain_expired,
    is_absent,
    is_expired,
    is_unreachable,
    may_have_arrived,
    translate_error,
)
from sm_remote.aws.responses import (
    TrainingJobDescription,
    TrainingJobSummary,
    parse_description,
    parse_summary,
    read_header,
    read_moment,
    read_version,
)
from sm_remote.aws.secrets import read_request_values
from sm_remote.aws.session import Session
from sm_remote.aws.sightings import Sightings
from sm_remote.errors import ConfigError, CredentialsExpired, JobNotFound, ServiceUnavailable, SubmitError

T = TypeVar("T")

logger = logging.getLogger("sm_remote")

LOG_GROUP = "/aws/sagemaker/TrainingJobs"

BETWEEN_RENEWALS_S = 2.0

_ENDED_FIRST = {
    # There is no order by time of modification. Source: API_ListTrainingJobs, SortBy.
    True: {"SortBy": "Status", "SortOrder": "Ascending"},
    False: {"SortBy": "CreationTime", "SortOrder": "Descending"},
}

_wait: ContextVar[tuple[float, int] | None] = ContextVar("sm_remote_wait", default=None)


class TrainingJobs:
    """Creates, describes, lists, stops training jobs and reads their logs.

    Args:
        session: Where the API is. ``session.holds_requests`` tells whether it can hold a request until something
            happens (the local service can; AWS cannot, and callers poll).
        sleep: Between tries to create a job; for tests.

    Attributes:
        sightings: What the lists have told lately.
    """

    def __init__(self, session: Session, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.session = session
        self.sightings = Sightings()
        self._renewed_at = float("-inf")
        self._had_credentials = False
        self._sleep = sleep
        self._lock = threading.Lock()
        self._prepare_clients()

    def _prepare_clients(self) -> None:
        for service in ("sagemaker", "logs"):
            self.session.client(service).meta.events.register(f"before-call.{service}", _add_wait_headers)

    def _reconnect(self, used: Any) -> None:
        """Connects anew, unless another thread has done so since a request was sent with a client.

        Raises:
            CredentialsExpired: The profile or its region, by which it was connected before, is gone.
        """
        with self._lock:
            if self.session.client("sagemaker") is used:
                try:
                    self.session = self.session.reconnect()
                except ConfigError as error:
                    raise explain_expired(error.why) from error
                self._renewed_at = time.monotonic()
                self._prepare_clients()

    def renew_credentials(self) -> None:
        """Takes the credentials that there are now, for all that is sent from here on, unless it just has."""
        if time.monotonic() - self._renewed_at > BETWEEN_RENEWALS_S:
            with suppress(CredentialsExpired):  # the next request says so
                self._reconnect(self.session.client("sagemaker"))

    def _call(
        self,
        service: str,
        operation: str,
        *,
        wait: tuple[float, int] | None = None,
        once: bool = False,
        **members: Any,
    ) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.exceptions import ConnectionError as NoConnectionError

        anchor = self.session.client("sagemaker")
        token = _wait.set(wait if self.session.holds_requests else None)
        try:
            try:
                return self._send(service, operation, members, once=once)
            except (HTTPClientError, NoConnectionError):
                if not self.session.holds_requests:
                    raise
                self._reconnect(anchor)
                return self._send(service, operation, members, once=once)
            except (BotoCoreError, ClientError) as error:
                if not (is_expired(error) or is_absent(error)):
                    raise
                self._reconnect(anchor)  # they may have been renewed since this process read them
                return self._send(service, operation, members, once=once)
        except (BotoCoreError, ClientError) as error:
            if is_absent(error) and self._had_credentials:
                raise explain_expired(str(error), str(members.get("TrainingJobName", ""))) from error
            translated = translate_error(error, operation, members, advice=self.session.advice)
            translated.facts |= {"may_have_arrived": may_have_arrived(error), "unreachable": is_unreachable(error)}
            raise translated from error
        finally:
            _wait.reset(token)

    def _send(self, service: str, operation: str, members: Mapping[str, Any], *, once: bool) -> dict[str, Any]:
        client = self.session.single_try_client(service) if once else self.session.client(service)
        answer: dict[str, Any] = getattr(client, operation)(**members)
        self._had_credentials = True
        return answer

    def create(self, request: Mapping[str, Any]) -> str:
        """Creates a training job and returns its ARN, exactly one whatever becomes of the answers.

        The values of a local job's secrets follow it in a request of their own, which nothing writes down.

        Raises:
            ConfigError: A secret cannot be read; nothing was sent.
            JobNameInUse: Another job has the name.
            SubmitError: The API refused.
            ServiceUnavailable: It cannot be reached; ``facts["may_exist"]`` tells whether there may be a job.
        """
        values = read_request_values(request) if self.session.target == "local" else {}
        arn = create_once(self, request, sleep=self._sleep)
        if values:
            self._give_secrets(request["TrainingJobName"], values)
        return arn

    def _give_secrets(self, job_name: str, values: Mapping[str, str]) -> None:
        body = {"TrainingJobName": job_name, "Values": values}
        for _ in range(2):
            anchor, discovery = self.session.client("sagemaker"), self.session.discovery
            if discovery is None:
                break
            try:
                call_service(discovery, "GiveSecrets", body)
            except ServiceUnavailable as error:
                logger.debug("The secrets of %s were not taken: %s", job_name, error)
                self._reconnect(anchor)
            else:
                return
        logger.warning("The local service did not take the secrets of %s, which will fail for it", job_name)

    def send_creation(self, request: Mapping[str, Any]) -> str:
        """Sends CreateTrainingJob, one time; see `create`."""
        arn: str = self._call("sagemaker", "create_training_job", once=True, **request)["TrainingJobArn"]
        return arn

    def describe(self, name: str, *, wait_s: float = 0.0, seen: int = 0) -> TrainingJobDescription:
        """Describes a job; with ``wait_s``, a local service answers when the job has changed since version ``seen``.

        Raises:
            JobNotFound: No job has this name.
        """
        wait = (wait_s, seen) if wait_s else None
        return parse_description(self._call("sagemaker", "describe_training_job", wait=wait, TrainingJobName=name))

    def list_page(
        self,
        *,
        created_after: datetime | None = None,
        modified_after: datetime | None = None,
        name_contains: str | None = None,
        status: str | None = None,
        page: str | None = None,
        size: int = 100,
        ended_first: bool = False,
        wait_s: float = 0.0,
        seen: int = 0,
    ) -> tuple[list[TrainingJobSummary], str | None, int]:
        """One page of jobs: (rows, the next page's token, the change counter).

        They are the newest first, or those first that have completed or failed.
        """
        members: dict[str, Any] = {
            **_ENDED_FIRST[ended_first],
            "MaxResults": size,
            "CreationTimeAfter": created_after,
            "LastModifiedTimeAfter": modified_after,
            "NameContains": name_contains,
            "StatusEquals": status,
            "NextToken": page,
        }
        given = {name: value for name, value in members.items() if value is not None}
        wait = (wait_s, seen) if wait_s else None
        answer = self._call("sagemaker", "list_training_jobs", wait=wait, **given)
        rows = [parse_summary(row) for row in answer["TrainingJobSummaries"]]
        self.sightings.note(rows, read_moment(answer))
        return rows, answer.get("NextToken"), read_version(answer)

    def list_all(
        self,
        *,
        created_after: datetime | None = None,
        name_contains: str | None = None,
        status: str | None = None,
    ) -> Iterator[TrainingJobSummary]:
        """All jobs, newest first, page by page. A page may be empty and still have a successor."""
        page: str | None = None
        while True:
            rows, page, _ = self.list_page(
                created_after=created_after, name_contains=name_contains, status=status, page=page
            )
            yield from rows
            if page is None:
                return

    def stop(self, name: str) -> None:
        """Asks for a stop; a job that has ended already is no error.

        Raises:
            JobNotFound: No job has this name.
        """
        try:
            self._call("sagemaker", "stop_training_job", TrainingJobName=name)
        except SubmitError as error:
            if "in status" not in error.why:
                raise

    def list_tags(self, arn: str) -> dict[str, str]:
        """The tags of a job."""
        answer = self._call("sagemaker", "list_tags", ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for tag in answer["Tags"]}

    def read_metrics(
        self, job_name: str, metric_names: Sequence[str], *, instance_count: int, start: datetime, end: datetime
    ) -> list[MetricCourse]:
        """The course of everything that was measured of a job between two moments."""
        age_s = (datetime.now(timezone.utc) - start).total_seconds()
        period_s = choose_period_s((end - start).total_seconds(), age_s)
        queries = build_queries(job_name, metric_names, instance_count=instance_count, period_s=period_s)
        members: dict[str, Any] = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end}
        pages: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while not pages or "NextToken" in pages[-1]:
            pages.append(self._call("cloudwatch", "get_metric_data", **members, **page))
            page = {"NextToken": pages[-1].get("NextToken")}
        return parse_courses(queries, pages)

    def list_log_streams(self, job_name: str) -> list[str]:
        """The job's log streams, one a host and attempt, in order of name; empty before the first line."""
        found: list[str] = []
        page: dict[str, Any] = {}
        while True:
            try:
                answer = self._call(
                    "logs",
                    "describe_log_streams",
                    logGroupName=LOG_GROUP,
                    logStreamNamePrefix=f"{job_name}/",
                    orderBy="LogStreamName",
                    **page,
                )
            except JobNotFound:
                return []
            found += [row["logStreamName"] for row in answer["logStreams"]]
            if "nextToken" not in answer:
                return found
            page = {"nextToken": answer["nextToken"]}

    def read_log(
        self,
        stream: str,
        *,
        token: str | None = None,
        from_head: bool = True,
        limit: int = 10000,
        wait_s: float = 0.0,
    ) -> LogPage:
        """One page of a log stream.

        Args:
            stream: As `list_log_streams` names it.
            token: Where to go on; None for the first page.
            from_head: Whether the first page is the oldest lines, or the newest.
            limit: Lines, at most 10,000.
            wait_s: How long a local service may hold the request when there is nothing new.
        """
        members: dict[str, Any] = {
            "logGroupName": LOG_GROUP,
            "logStreamName": stream,
            "startFromHead": from_head,
            "limit": limit,
        }
        if token is not None:
            members["nextToken"] = token
        wait = (wait_s, 0) if wait_s else None
        answer = self._call("logs", "get_log_events", wait=wait, **members)
        return LogPage(
            lines=[event["message"].replace(SHOWN_TAB, "\t") for event in answer["events"]],
            times_ms=[event["timestamp"] for event in answer["events"]],
            forward=answer["nextForwardToken"],
            backward=answer["nextBackwardToken"],
            closed=read_header(answer, "x-sm-remote-log-closed") == "1",
        )

    def search_logs(
        self, pattern: str, *, start: datetime, page: str | None = None
    ) -> tuple[list[FoundLine], str | None]:
        """One page of the lines of all jobs that match a filter pattern: (lines, the next page's token).

        Args:
            pattern: In CloudWatch's syntax.
            start: No line is older.
            page: The token of the page; None for the first.
        """
        members: dict[str, Any] = {"filterPattern": pattern, "startTime": int(start.timestamp() * 1000)}
        if page is not None:
            members["nextToken"] = page
        answer = self._call("logs", "filter_log_events", logGroupName=LOG_GROUP, **members)
        lines = [
            FoundLine(stream=event["logStreamName"], text=event["message"].replace(SHOWN_TAB, "\t"))
            for event in answer["events"]
        ]
        return lines, answer.get("nextToken")


SHOWN_TAB = "#011"
"""What the log of a training job shows where the job printed a tab. Source: observed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundLine:
    """A line that a search of the logs has found, and its stream."""

    stream: str
    text: str


class LogPage:
    """Some lines of one stream, and the tokens of the pages after and before them."""

    __slots__ = ("backward", "closed", "forward", "lines", "times_ms")

    def __init__(self, *, lines: list[str], times_ms: list[int], forward: str, backward: str, closed: bool) -> None:
        self.lines = lines
        self.times_ms = times_ms
        self.forward = forward
        self.backward = backward
        self.closed = closed


def _add_wait_headers(params: dict[str, Any], **_: Any) -> None:
    wait = _wait.get()
    if wait is not None:
        params["headers"]["X-Sm-Remote-Wait-S"] = f"{wait[0]:g}"
        params["headers"]["X-Sm-Remote-Seen"] = str(wait[1])
