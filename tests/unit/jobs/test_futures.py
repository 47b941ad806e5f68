"""Jobs under the names that the SageMaker SDK has for coming back to them."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote import Job, get_future, list_futures
from sm_remote.aws.responses import TrainingJobDescription, parse_description
from sm_remote.errors import ConfigError
from sm_remote.home import find_home
from sm_remote.jobs.futures import list_futures_through


class FakeJobs:
    """The API of a few running jobs, and the connection to it; knows which were looked at and are watched."""

    home, target = find_home({"SM_REMOTE_HOME": "/nowhere"}), "local"

    def __init__(self, *names: str) -> None:
        self.training_jobs = self.watcher = self
        self.names = names
        self.described: list[str] = []
        self.watched: list[str] = []

    def list_all(self, *, name_contains: str | None) -> Iterator[Any]:
        for name in self.names:
            if name_contains is None or name_contains in name:
                yield SimpleNamespace(name=name)

    def describe(self, name: str) -> TrainingJobDescription:
        self.described.append(name)
        moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
        return parse_description(
            {
                "TrainingJobName": name,
                "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:000000000000:training-job/{name}",
                "TrainingJobStatus": "InProgress",
                "SecondaryStatus": "Training",
                "CreationTime": moment,
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/jobs"},
            }
        )

    def watch(self, name: str, created: datetime, on_end: Any, *_: Any) -> None:
        self.watched.append(name)


def test_futures_are_those_whose_names_begin_so() -> None:
    api = FakeJobs("train-3", "retrain-2", "train-1", "test-1")
    found = list(list_futures_through(api, "train"))  # type: ignore[arg-type]
    assert [job.name for job in found] == ["train-3", "train-1"]
    assert all(isinstance(job, Job) and isinstance(job, concurrent.futures.Future) and job.running() for job in found)
    assert api.watched == ["train-3", "train-1"]


def test_a_job_is_looked_at_when_it_is_taken() -> None:
    api = FakeJobs("train-3", "train-2", "train-1")
    futures = list_futures_through(api, "train")  # type: ignore[arg-type]
    assert next(futures).name == "train-3"
    assert api.described == ["train-3"]


def test_no_prefix_means_all() -> None:
    api = FakeJobs("b", "a")
    assert len(list(list_futures_through(api, ""))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [get_future, list_futures])
def test_what_is_no_session_is_refused(function: Any) -> None:
    with pytest.raises(ConfigError, match="sagemaker_session"):
        function("train", object())
