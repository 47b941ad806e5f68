"""SageMaker's list of training jobs in virtual time: pages, quotas, a list that lags behind, and credentials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from sm_remote.aws.pacing import Pacer
from sm_remote.aws.session import Session
from sm_remote.aws.training_jobs import TrainingJobs

START = datetime(2026, 11, 21, tzinfo=timezone.utc)
PAGE = 100


class VirtualTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def sleep(self, pause_s: float) -> None:
        self.now_s += pause_s

    def moment(self) -> datetime:
        return START + timedelta(seconds=self.now_s)


class FakeSageMaker:
    """What a boto3 client of SageMaker does, with botocore's events; each job's changes are known beforehand.

    Args:
        time: Its clock.
        lag_s: How late a change comes into the list.
        answer_s: How long each answer takes.
        quotas: Requests a second that the account has, by operation: what is more is throttled.
        filters_pages: Whether a page is taken first and what was not modified is left out of it then, as AWS's own
            answers have it (aws/aws-cli, issue 7596), or only what was modified is counted for pages.
    """

    def __init__(
        self,
        time: VirtualTime,
        *,
        lag_s: float = 0.0,
        answer_s: float = 0.05,
        quotas: dict[str, float] | None = None,
        filters_pages: bool = False,
    ) -> None:
        self.time, self.lag_s, self.answer_s, self.filters_pages = time, lag_s, answer_s, filters_pages
        self.quotas = quotas or {}
        self.changes: dict[str, list[tuple[float, str]]] = {}
        self.calls: list[tuple[str, float]] = []
        self.throttled: Counter[str] = Counter()
        self.refuse: Callable[[str, int], str | None] = lambda operation, number: None
        self._handlers: dict[str, list[Callable[..., Any]]] = {}
        self._tokens: dict[str, tuple[float, float]] = {}
        self.meta = SimpleNamespace(
            events=SimpleNamespace(
                register=lambda event, handler: self._handlers.setdefault(event, []).append(handler)
            ),
            service_model=SimpleNamespace(service_name="sagemaker"),
        )

    def _register(self, event: str, handler: Callable[..., Any]) -> None:
        self._handlers.setdefault(event, []).append(handler)

    def add(self, name: str, *changes: tuple[float, str]) -> None:
        """A job: when it comes to which status."""
        self.changes[name] = sorted(changes)

    def ended_at(self, name: str) -> float:
        """When a job comes to its end."""
        return self.changes[name][-1][0]

    def count(self, operation: str) -> int:
        """How often an operation was asked for."""
        return sum(asked == operation for asked, _ in self.calls)

    def busiest_s(self, operation: str, window_s: float) -> int:
        """The most requests of an operation in any stretch of time."""
        times = [at for asked, at in self.calls if asked == operation]
        return max((sum(at <= other < at + window_s for other in times) for at in times), default=0)

    def list_training_jobs(self, **members: Any) -> dict[str, Any]:
        return self._answer("ListTrainingJobs", lambda: self._list(members))

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        return self._answer("DescribeTrainingJob", lambda: self._describe(TrainingJobName))

    def _answer(self, operation: str, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        for handler in self._handlers.get("before-send.sagemaker", ()):
            handler(event_name=f"before-send.sagemaker.{operation}")
        self.calls.append((operation, self.time.now_s))
        code = self.refuse(operation, self.count(operation)) or self._throttle(operation)
        self.time.sleep(self.answer_s)
        if code is None:
            return answer()
        parsed = {"Error": {"Code": code, "Message": "Rate exceeded"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        for handler in self._handlers.get("needs-retry.sagemaker", ()):
            handler(event_name=f"needs-retry.sagemaker.{operation}", response=(None, parsed))
        raise ClientError(parsed, operation)  # type: ignore[arg-type]

    def _throttle(self, operation: str) -> str | None:
        rate = self.quotas.get(operation)
        if rate is None:
            return None
        tokens, since = self._tokens.get(operation, (rate, self.time.now_s))
        tokens = min(rate, tokens + (self.time.now_s - since) * rate)
        self._tokens[operation] = (max(tokens - 1, tokens if tokens < 1 else 0), self.time.now_s)
        if tokens >= 1:
            return None
        self.throttled[operation] += 1
        return "ThrottlingException"

    def _state(self, name: str, at: float) -> tuple[str, datetime, datetime] | None:
        """(status, created, modified) of a job at a time, or None before it was created."""
        past = [(when, status) for when, status in self.changes[name] if when <= at]
        if not past:
            return None
        created, (modified, status) = past[0][0], past[-1]
        return status, START + timedelta(seconds=created), START + timedelta(seconds=modified)

    def _list(self, members: dict[str, Any]) -> dict[str, Any]:
        rows = []
        for name in self.changes:
            state = self._state(name, self.time.now_s - self.lag_s)
            if state is None:
                continue
            status, created, modified = state
            if (self.filters_pages or self._is_wanted(modified, members)) and created > members.get(
                "CreationTimeAfter", START
            ):
                rows.append(
                    {
                        "TrainingJobName": name,
                        "TrainingJobArn": f"arn:{name}",
                        "TrainingJobStatus": status,
                        "CreationTime": created,
                        "LastModifiedTime": modified,
                    }
                )
        key = "TrainingJobStatus" if members["SortBy"] == "Status" else "CreationTime"
        rows.sort(key=lambda row: row[key], reverse=members["SortOrder"] == "Descending")
        start = int(members.get("NextToken", 0))
        following = {"NextToken": str(start + PAGE)} if start + PAGE < len(rows) else {}
        headers = {"date": format_datetime(self.time.moment().replace(microsecond=0), usegmt=True)}
        metadata = {"ResponseMetadata": {"HTTPHeaders": headers}}
        found = [row for row in rows[start : start + PAGE] if self._is_wanted(row["LastModifiedTime"], members)]
        return {"TrainingJobSummaries": found, **following, **metadata}

    @staticmethod
    def _is_wanted(modified: datetime, members: dict[str, Any]) -> bool:
        return bool(modified > members.get("LastModifiedTimeAfter", START))

    def _describe(self, name: str) -> dict[str, Any]:
        state = self._state(name, self.time.now_s) if name in self.changes else None
        if state is None:
            error = {"Error": {"Code": "ValidationException", "Message": "Requested resource not found."}}
            raise ClientError(error, "DescribeTrainingJob")  # type: ignore[arg-type]
        status, created, modified = state
        return {
            "TrainingJobName": name,
            "TrainingJobArn": f"arn:{name}",
            "TrainingJobStatus": status,
            "SecondaryStatus": status if status != "InProgress" else "Training",
            "CreationTime": created,
            "LastModifiedTime": modified,
        }


def connect_fake(service: FakeSageMaker) -> TrainingJobs:
    """The API as the client uses it, over the fake, with the pace that AWS's quotas ask for."""
    pacer = Pacer(None, clock=lambda: service.time.now_s, sleep=service.time.sleep, chance=lambda: 0.5)
    pacer.register(service)

    def make_session() -> Session:
        return Session(
            target="sagemaker",
            region="us-east-1",
            account=lambda: None,
            holds_requests=False,
            make_client=lambda _: service,
            make_s3_client=lambda: service,
            reconnect=make_session,
            advice="",
        )

    return TrainingJobs(make_session(), sleep=service.time.sleep)
