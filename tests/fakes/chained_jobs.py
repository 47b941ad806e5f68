"""An API whose jobs end as a test says, a store for what is said of them, and no watcher: calls are made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription, parse_description
from sm_remote.errors import JobNameInUse, JobNotFound, SubmitError
from sm_remote.home import find_home
from sm_remote.jobs.logs.ends import LogEnds


class ChainedJobs:
    """Training jobs as requests, which `end` brings to their ends.

    Attributes:
        training_jobs: Itself, as `Connection` has it; so are `watcher` and `alarm`.
        refusals: For each instance type the code with which it is refused.
        ends_at_once: Jobs that have ended when they are watched, each with its reason.
        stopped: Names, as they were asked to stop.
        alarms: What was to be called, with the seconds until then.
    """

    target = "local"
    home = find_home({"SM_REMOTE_HOME": "/nowhere"})

    def __init__(self) -> None:
        self.training_jobs = self.watcher = self.alarm = self
        self.session = SimpleNamespace(holds_requests=True)
        self.log_ends = LogEnds(self)  # type: ignore[arg-type]
        self.refusals: dict[str, str] = {}
        self.requests: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.ends_at_once: dict[str, str] = {}
        self.stopped: list[str] = []
        self.alarms: list[tuple[float, Callable[[], float | None]]] = []
        self.watched: dict[str, Callable[[Any], None]] = {}
        self.objects: dict[str, bytes] = {}

    # -- the API ----------------------------------------------------------------------------------------------------

    def create(self, request: Mapping[str, Any]) -> str:
        name, kind = request["TrainingJobName"], request["ResourceConfig"]["InstanceType"]
        code = self.refusals.get(kind)
        if code:
            raise SubmitError(f"{kind} was refused.", why=f"{code} for {kind}", code=code)
        if name in self.requests:
            raise JobNameInUse(f"{name} exists.", job_name=name)
        self.requests[name] = dict(request)
        members = {key: value for key, value in request.items() if key not in ("Tags", "SessionChainingConfig")}
        self.answers[name] = {
            **members,
            "TrainingJobArn": f"arn:{name}",
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Pending",
            "CreationTime": datetime.now(timezone.utc),
            "SecondaryStatusTransitions": [],
        }
        return f"arn:{name}"

    def describe(self, name: str) -> TrainingJobDescription:
        if name not in self.answers:
            raise JobNotFound(f"There is no {name}.")
        return parse_description(self.answers[name])

    def list_tags(self, arn: str) -> dict[str, str]:
        tags = {each["Key"]: each["Value"] for each in self.requests[arn.removeprefix("arn:")].get("Tags", ())}
        return {**tags, "aws:cloudformation:stack": "AWS's own"}

    def stop(self, name: str) -> None:
        self.stopped.append(name)

    def list_log_streams(self, job_name: str) -> list[str]:
        return []

    def change(self, name: str, **members: Any) -> TrainingJobDescription:
        """Changes what is answered for a job."""
        self.answers[name].update(members)
        return self.describe(name)

    def end(
        self, name: str, status: str = "Failed", reason: str | None = None, **members: Any
    ) -> TrainingJobDescription:
        """Ends a job, and tells who watches it."""
        now = datetime.now(timezone.utc)
        if status == "Completed":
            ran = {"Status": "Training", "StartTime": now, "EndTime": now, "StatusMessage": ""}
            members = {"SecondaryStatusTransitions": [ran], **members}
        ended = {"TrainingJobStatus": status, "SecondaryStatus": status, "FailureReason": reason}
        end = self.change(name, **{**ended, "TrainingEndTime": now, **members})
        watching = self.watched.pop(name, None)
        if watching is not None:
            watching(end)
        return end

    # -- the watcher, the alarm and the store -----------------------------------------------------------------------

    def watch(self, name: str, created: datetime, on_end: Callable[[Any], None], *_: Any) -> None:
        self.watched[name] = on_end
        if name in self.ends_at_once:
            self.end(name, reason=self.ends_at_once.pop(name))

    def call_after(self, seconds: float, look: Callable[[], float | None]) -> None:
        self.alarms.append((seconds, look))

    def open_store(self, root_uri: str) -> ChainedJobs:
        return self

    def head(self, key: str) -> object | None:
        return self.objects.get(key)

    def get(self, key: str) -> bytes:
        return self.objects[key]

    def put_if_absent(self, key: str, source: bytes) -> bool:
        return self.objects.setdefault(key, source) is source

    def list(self, prefix: str) -> Iterator[Any]:
        return iter(())

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
