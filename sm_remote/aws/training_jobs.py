"""The training-job API as the client uses it: one class over boto3, for SageMaker and for the local training service.

Foreign errors are translated here, once. Where the local service is addressed and has gone (idle, killed), it is
started again and the call repeated: jobs outlive it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any, TypeVar

from sm_remote.aws.local_service import call_service
from sm_remote.aws.metrics import MetricCourse, build_queries, choose_period_s, parse_courses
from sm_remote.aws.responses import (
    TrainingJobDescription,
    TrainingJobSummary,
    parse_description,
    parse_summary,
    read_header,
    read_version,
)
from sm_remote.aws.secrets import read_request_values
from sm_remote.aws.session import Session
from sm_remote.errors import JobNameInUse, JobNotFound, ServiceUnavailable, SubmitError

T = TypeVar("T")

logger = logging.getLogger("sm_remote")

LOG_GROUP = "/aws/sagemaker/TrainingJobs"

_wait: ContextVar[tuple[float, int] | None] = ContextVar("sm_remote_wait", default=None)


class TrainingJobs:
    """Creates, describes, lists, stops training jobs and reads their logs.

    Args:
        session: Where the API is. ``session.holds_requests`` tells whether it can hold a request until something
            happens (the local service can; AWS cannot, and callers poll).
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._prepare_clients()

    def _prepare_clients(self) -> None:
        for service in ("sagemaker", "logs"):
            self.session.client(service).meta.events.register(f"before-call.{service}", _add_wait_headers)

    def _reconnect(self, used: Any) -> None:
        with self._lock:
            if self.session.client("sagemaker") is used:
                self.session = self.session.reconnect()
                self._prepare_clients()

    def _call(
        self, service: str, operation: str, *, wait: tuple[float, int] | None = None, **members: Any
    ) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
        from botocore.exceptions import ConnectionError as NoConnectionError

        anchor = self.session.client("sagemaker")
        token = _wait.set(wait if self.session.holds_requests else None)
        try:
            try:
                return self._send(service, operation, members)
            except (HTTPClientError, NoConnectionError):
                if not self.session.can_reconnect:
                    raise
                self._reconnect(anchor)
                return self._send(service, operation, members)
        except ClientError as error:
            raise translate_error(error, operation, members) from error
        except BotoCoreError as error:
            raise ServiceUnavailable(
                f"The training-job API could not be reached for {operation}.",
                why=str(error),
                fix=self.session.advice,
            ) from error
        finally:
            _wait.reset(token)

    def _send(self, service: str, operation: str, members: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.session.client(service), operation)(**members)
        return answer

    def create(self, request: Mapping[str, Any]) -> str:
        """Creates a training job and returns its ARN.

        A repeated request whose first answer was lost is recognised by its arguments and is not an error.

        The values of a local job's secrets follow it in a request of their own, which nothing writes down.

        Raises:
            ConfigError: A secret cannot be read; nothing was sent.
            JobNameInUse: Another job has the name.
            SubmitError: The API refused.
        """
        values = read_request_values(request) if self.session.target == "local" else {}
        arn = self._create(request)
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

    def _create(self, request: Mapping[str, Any]) -> str:
        try:
            arn: str = self._call("sagemaker", "create_training_job", **request)["TrainingJobArn"]
        except JobNameInUse:
            existing = self.describe(request["TrainingJobName"])
            asked = request["AlgorithmSpecification"].get("ContainerArguments") or ()
            if existing.arguments == tuple(asked) and self.session.repeats_requests:
                return existing.arn
            raise
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
        name_contains: str | None = None,
        status: str | None = None,
        page: str | None = None,
        size: int = 100,
        wait_s: float = 0.0,
        seen: int = 0,
    ) -> tuple[list[TrainingJobSummary], str | None, int]:
        """One page of jobs, newest first: (rows, the next page's token, the change counter)."""
        members: dict[str, Any] = {
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
            "MaxResults": size,
            "CreationTimeAfter": created_after,
            "NameContains": name_contains,
            "StatusEquals": status,
            "NextToken": page,
        }
        given = {name: value for name, value in members.items() if value is not None}
        wait = (wait_s, seen) if wait_s else None
        answer = self._call("sagemaker", "list_training_jobs", wait=wait, **given)
        rows = [parse_summary(row) for row in answer["TrainingJobSummaries"]]
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


SHOWN_TAB = "#011"
"""What the log of a training job shows where the job printed a tab. Source: observed."""


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


def translate_error(error: Any, operation: str, members: Mapping[str, Any]) -> Exception:
    """Turns a botocore ClientError into the error that a person can act on."""
    code: str = error.response["Error"].get("Code", "")
    text: str = error.response["Error"].get("Message", "")
    name = members.get("TrainingJobName", members.get("logStreamNamePrefix", ""))
    if "Requested resource not found" in text or code in ("ResourceNotFound", "ResourceNotFoundException"):
        return JobNotFound(f"There is no training job {name!r}.", why=text, job_name=name)
    if code == "ResourceInUse":
        return JobNameInUse(
            f"A training job named {name!r} exists already.",
            why=text,
            fix="Names are unique for ever in an account and region: choose another job_name_prefix, "
            "or attach to the existing job.",
            job_name=name,
        )
    return SubmitError(
        f"The API refused {_spell(operation)}: {code}.", why=text, fix=_advise(code), code=code, job_name=name
    )


_ADVICE: Mapping[str, str] = {
    "AccessDeniedException": "The caller's identity lacks this permission; the message names action and resource.",
    "ExpiredTokenException": "The AWS credentials have expired: refresh them and call again.",
    "ResourceLimitExceeded": "Ask for a quota increase in Service Quotas, or use another instance type.",
    "UnrecognizedClientException": "The AWS credentials are not valid for this endpoint.",
}


def _advise(code: str) -> str:
    return _ADVICE.get(code, "")


def _spell(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
