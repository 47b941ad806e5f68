"""A world for the command line without a service: jobs, logs and settings that a test wrote down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sm_remote.aws.responses import (
    TrainingJobDescription,
    TrainingJobSummary,
    parse_description,
    parse_summary,
)
from sm_remote.aws.training_jobs import LogPage
from sm_remote.cli.world import Terminal, World
from sm_remote.errors import JobNotFound, RemoteError
from sm_remote.home import Discovery, Home, StandingOptions
from sm_remote.jobs.logs.ends import LogEnds
from tests.fakes.aws import FakeAws

NOW = datetime(2026, 11, 21, 9, 15, tzinfo=timezone.utc)


def build_answer(name: str, status: str = "Completed", *, age_s: float = 180, runs_s: float = 12, **more: Any) -> Any:
    """DescribeTrainingJob's answer for a job that was created ``age_s`` ago."""
    created = NOW - timedelta(seconds=age_s)
    ended = created + timedelta(seconds=runs_s)
    live = status in ("InProgress", "Stopping")
    steps = [("Starting", 0, 1), ("Downloading", 1, 2), ("Training", 2, runs_s)]
    transitions = [
        {
            "Status": step,
            "StartTime": created + timedelta(seconds=start),
            "EndTime": created + timedelta(seconds=end),
            "StatusMessage": "",
        }
        for step, start, end in steps
    ]
    answer = {
        "TrainingJobName": name,
        "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
        "TrainingJobStatus": status,
        "SecondaryStatus": "Training" if live else status,
        "AlgorithmSpecification": {"TrainingImage": "sm-remote-local/python:3.11.7-0123456789ab"},
        "OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/sm_remote/jobs", "CompressionType": "NONE"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "CreationTime": created,
        "SecondaryStatusTransitions": transitions,
        **more,
    }
    return answer if live else {**answer, "TrainingEndTime": ended}


@dataclass
class FakeTrainingJobs:
    """The parts of `sm_remote.aws.training_jobs.TrainingJobs` that commands use."""

    answers: Sequence[Mapping[str, Any]]
    log: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = SimpleNamespace(holds_requests=True, account="111122223333")

    def describe(self, name: str, *, wait_s: float = 0.0, seen: int = 0) -> TrainingJobDescription:
        for answer in self.answers:
            if answer["TrainingJobName"] == name:
                return parse_description(answer)
        raise JobNotFound(f"There is no training job {name!r}.", fix="`sm-remote jobs` lists the newest.")

    def list_all(self, *, status: str | None = None, name_contains: str | None = None) -> Iterator[TrainingJobSummary]:
        for answer in self.answers:
            if status in (None, answer["TrainingJobStatus"]) and (name_contains or "") in answer["TrainingJobName"]:
                yield parse_summary(answer)

    def stop(self, name: str) -> None:
        self.stopped.append(name)

    def list_tags(self, arn: str) -> dict[str, str]:
        return dict(self.tags)

    def list_log_streams(self, job_name: str) -> list[str]:
        return [f"{job_name}/algo-1-1763712000"] if self.log else []

    def read_log(self, stream: str, *, token: str | None = None, **_: Any) -> LogPage:
        lines = list(self.log) if token is None else []
        return LogPage(lines=lines, times_ms=[0] * len(lines), forward="f", backward="b", closed=True)


class FakeStore:
    """A store in which every job left something, but for those with "bare" in their name."""

    def __init__(self, root_uri: str) -> None:
        self.root_uri = root_uri

    def list(self, prefix: str) -> Iterator[str]:
        return iter([] if "bare" in prefix else [prefix])


class FakeConnection:
    """`sm_remote.jobs.connection.Connection` without a watcher or a store: for jobs that have ended."""

    target = "local"

    def __init__(self, training_jobs: FakeTrainingJobs, home: Home) -> None:
        self.training_jobs = training_jobs
        self.log_ends = LogEnds(training_jobs)  # type: ignore[arg-type]
        self.home = home

    def open_store(self, root_uri: str) -> FakeStore:
        return FakeStore(root_uri)


class FakeService:
    """A local training service that is a note on whether it runs."""

    discovery = Discovery(
        pid=4711, port=39111, version="0.1.0", instance="i1", access_key="SMRLKEY", secret_key="se'cret"
    )

    def __init__(self, *, runs: bool = False, live: int = 0, version: str = "0.1.0") -> None:
        self.runs = runs
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answer: dict[str, Any] = {}
        self.options: StandingOptions | None = None
        self.status = {"Version": version, "Engine": "docker", "EngineNote": "", "RunningJobs": live, "QueuedJobs": 0}

    def find(self) -> tuple[Discovery, dict[str, Any]] | None:
        return (self.discovery, self.status) if self.runs else None

    def start(self, options: StandingOptions | None = None) -> Discovery:
        self.runs = True
        self.options = options
        return self.discovery

    def stop(self, discovery: Discovery) -> None:
        self.runs = False

    def call(self, discovery: Discovery, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, dict(body)))
        return self.answer


def _refuse() -> Any:
    raise RemoteError("This test has no settings.")


def build_world(
    tmp_path: Path,
    *answers: Mapping[str, Any],
    terminal: bool = True,
    service: FakeService | None = None,
    resolve: Any = _refuse,
    training_jobs: FakeTrainingJobs | None = None,
    aws: FakeAws | None = None,
    region: str | None = "eu-west-1",
) -> World:
    """A world with these jobs, newest first, on a screen 80 columns wide or on a pipe."""
    home = Home(data=tmp_path, cache=tmp_path / "cache")
    connection: Any = FakeConnection(training_jobs or FakeTrainingJobs(answers), home)
    return World(
        home=home,
        environ={},
        terminal=Terminal(width=80, colours=False) if terminal else None,
        connect=lambda target: connection,
        resolve=resolve,
        service=service or FakeService(),
        now=lambda: NOW,
        connect_briefly=lambda wanted: (wanted or region, (aws or FakeAws()).client),
    )
