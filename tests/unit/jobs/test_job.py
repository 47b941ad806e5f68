"""A job is awaited as it is waited for: giving up leaves it as it is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.aws.responses import TrainingJobSummary, parse_description
from sm_remote.errors import OutcomeMissing, ServiceUnavailable, StorageError
from sm_remote.jobs.job import Job
from sm_remote.jobs.logs.ends import LogEnds
from sm_remote.jobs.succession.history import Phase
from sm_remote.spec import TrainingJobStatus
from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.launch import build_launch
from sm_remote.wire.marker import format_marker
from sm_remote.wire.outcome_writer import write_value


class Untouchable:
    """A connection that must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was used")


def test_a_job_that_is_awaited_gives_its_value() -> None:
    job: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]

    async def main() -> int:
        threading.Timer(0.01, job.set_result, [7]).start()
        return await job

    assert asyncio.run(main()) == 7


def test_a_job_that_is_awaited_too_long_goes_on() -> None:
    job: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]

    async def main() -> int:
        return await asyncio.wait_for(job, 0.01)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    assert not job.done()
    job.set_result(7)  # the loop is closed, which is nobody's trouble
    assert job.result() == 7


def test_a_job_whose_request_cannot_be_built_ends_with_that() -> None:
    job: Job[int] = Job("nap", Untouchable(), spec=SimpleNamespace(name="nap"))  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        job._submit()
    assert isinstance(job.exception(0), AttributeError)


class StoppingJobs:
    """An API whose jobs are being stopped."""

    status = TrainingJobStatus.STOPPING

    def __init__(self) -> None:
        self.training_jobs = self
        self.stops = 0

    def describe(self, name: str) -> StoppingJobs:
        return self

    def stop(self, name: str) -> None:
        self.stops += 1


def test_a_cancel_of_a_job_that_is_being_stopped_has_no_effect() -> None:
    api = StoppingJobs()
    job: Job[int] = Job("nap", api)  # type: ignore[arg-type]
    assert not job.cancel()
    assert api.stops == 0
    job.stop()
    assert api.stops == 1


def test_a_job_shows_what_is_known_of_it_without_asking() -> None:
    job: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]
    assert repr(job) == "<Job nap: submitted>"
    job.set_result(7)
    assert repr(job) == "<Job nap: has a value>"
    failed: Job[int] = Job("nap", Untouchable())  # type: ignore[arg-type]
    failed.set_exception(ValueError("bad row"))
    assert repr(failed) == "<Job nap: ended with ValueError>"


def test_phases_and_rows_of_a_list_fit_a_line() -> None:
    moment = datetime(2026, 11, 21, 8, 30, tzinfo=timezone.utc)
    phase = Phase(name="Training", start=moment, duration_s=1.234, message="Training in progress.")
    row = TrainingJobSummary(
        name="nap", arn="arn:aws:...", status=TrainingJobStatus.STOPPED, creation_time=moment, end_time=None
    )
    assert repr([phase]) == "[<Phase Training: 1.23 s from 08:30:00>]"
    assert repr([row]) == "[<TrainingJobSummary nap: Stopped, created 2026-11-21 08:30:00>]"


MANIFEST = "ab" * 32
ARGUMENTS = build_launch(BlobRef(digest="cd" * 32, size_bytes=1), BlobRef(digest=MANIFEST, size_bytes=1))[1]
FACTS = {"python": "3.11.7", "started": 1.0, "ended": 2.0, "peak_memory_bytes": None, "memory_limit_bytes": None}


class Ended:
    """An API and a store with one ended job, which fail as often as they are told before they answer."""

    def __init__(
        self, directory: Path, trouble: list[Exception], *, api_trouble: list[Exception] | None = None
    ) -> None:
        self.training_jobs = self
        self.session = SimpleNamespace(holds_requests=True)
        self.log_ends = LogEnds(self)  # type: ignore[arg-type]
        self.trouble = trouble
        self.api_trouble = api_trouble or []
        self.path = directory / "outcome"
        with self.path.open("wb") as file:
            write_value(file, 42, FACTS)
        self.marker = format_marker(
            BlobRef(digest=digest_file(self.path), size_bytes=self.path.stat().st_size), MANIFEST
        )

    def describe(self, name: str) -> Any:
        return parse_description(
            {
                "TrainingJobName": name,
                "TrainingJobArn": "",
                "TrainingJobStatus": "Completed",
                "SecondaryStatus": "Completed",
                "CreationTime": datetime(2026, 11, 21, tzinfo=timezone.utc),
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/jobs", "CompressionType": "NONE"},
                "AlgorithmSpecification": {"ContainerArguments": ARGUMENTS},
            }
        )

    def list_log_streams(self, name: str) -> list[str]:
        if self.api_trouble:
            raise self.api_trouble.pop()
        return [f"{name}/algo-1-1"]

    def read_log(self, stream: str, **_: Any) -> Any:
        return SimpleNamespace(lines=[self.marker])

    def open_store(self, uri: str) -> Any:
        return self

    def uri(self, key: str) -> str:
        return f"s3://bucket/{key}"

    def fetch(self, key: str) -> Path:
        if self.trouble:
            raise self.trouble.pop()
        return self.path


def attach(connection: Ended) -> Job[int]:
    job: Job[int] = Job("nap", connection, pauses_s=(0.0, 0.01))  # type: ignore[arg-type]
    job._attach(connection.describe("nap"))
    return job


class Listed(Ended):
    """A job that a list has as completed and that is not described yet; `described` is what comes behind that."""

    def __init__(self, directory: Path, trouble: list[Exception]) -> None:
        super().__init__(directory, trouble)
        self.watcher = self
        self.described: Callable[[], None] = lambda: None

    def watch(self, name: str, created: datetime, on_end: Any, on_trouble: Any, on_completed: Any) -> None:
        row = TrainingJobSummary(
            name=name, arn="", status=TrainingJobStatus.COMPLETED, creation_time=created, end_time=created
        )
        assert on_completed(row)
        self.described = lambda: on_end(self.describe(name))


def attach_listed(connection: Listed) -> Job[int]:
    job: Job[int] = Job("nap", connection, pauses_s=(0.0, 0.01))  # type: ignore[arg-type]
    answer = {**connection.describe("nap").raw, "TrainingJobStatus": "InProgress", "SecondaryStatus": "Training"}
    job._attach(parse_description(answer))
    return job


def test_the_value_of_a_completed_job_does_not_wait_for_its_description(tmp_path: Path) -> None:
    connection = Listed(tmp_path, [])
    job = attach_listed(connection)
    assert job.result(10) == 42
    connection.described()  # which comes later, and changes nothing
    assert job.result() == 42


def test_a_value_that_cannot_be_had_at_once_comes_with_the_description(tmp_path: Path) -> None:
    connection = Listed(tmp_path, [no_answer()])
    job = attach_listed(connection)
    while connection.trouble:
        threading.Event().wait(0.001)
    assert not job.done()
    connection.described()
    assert job.result(10) == 42


def test_what_was_altered_is_not_loaded_before_the_description_either(tmp_path: Path) -> None:
    connection = Listed(tmp_path, [])
    connection.path.write_bytes(connection.path.read_bytes()[:-1] + b"!")
    job = attach_listed(connection)
    connection.described()
    with pytest.raises(OutcomeMissing, match="not what the job wrote"):
        job.result(10)


def no_answer() -> StorageError:
    return StorageError("The endpoint could not be reached.", missing=False)


def test_an_outcome_is_looked_for_again_when_the_store_or_the_api_does_not_answer(tmp_path: Path) -> None:
    assert attach(Ended(tmp_path, [no_answer(), no_answer()])).result(120) == 42
    away = ServiceUnavailable("The training-job API could not be reached.")
    assert attach(Ended(tmp_path, [no_answer()], api_trouble=[away])).result(120) == 42


def test_an_outcome_that_stays_out_of_reach_says_how_to_come_back_to_it(tmp_path: Path) -> None:
    error = attach(Ended(tmp_path, [no_answer() for _ in range(9)])).exception(120)
    assert isinstance(error, StorageError)
    assert error.__notes__ == ["Training job nap has ended. Its value: sm_remote.attach('nap').result()"]


def test_an_outcome_that_was_deleted_is_not_looked_for_again(tmp_path: Path) -> None:
    connection = Ended(tmp_path, [no_answer(), StorageError("There is no such object.", missing=True)])
    assert isinstance(attach(connection).exception(120), OutcomeMissing)
    assert len(connection.trouble) == 1
