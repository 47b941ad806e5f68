"""A value's marker in the log ends the job before its container has ended."""

from __future__ import annotations

import threading
import time

import pytest

from sm_remote.home import LOCAL_BUCKET
from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.marker import format_marker
from sm_remote.wire.outcome_writer import write_exception, write_value
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, statuses, wait_for_end, wait_until

MANIFEST = "ab" * 32
ALGORITHM = {"ContainerEntrypoint": ["python3"], "ContainerArguments": ["1", "code", "cd" * 32, MANIFEST]}
FACTS = {"python": "3.11.7", "started": 1.0, "ended": 2.0, "peak_memory_bytes": None, "memory_limit_bytes": None}


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def client(home, engine):
    with serve(home, engine) as found:
        yield make_client(found)


def write_outcome(container, value: object = 42) -> BlobRef:
    path = container.path("/opt/ml/output/data/sm_remote/outcome")
    path.parent.mkdir()
    with path.open("wb") as file:
        if isinstance(value, Exception):
            link = {"type": "builtins.ValueError", "text": "x", "relation": "raised", "frames": [], "notes": []}
            description = {"phase": "run", "chain": [link], "missing_module": None, "note": None, "sources": {}}
            write_exception(file, description, [None], FACTS)
        else:
            write_value(file, value, FACTS)
    return BlobRef(digest=digest_file(path), size_bytes=path.stat().st_size)


class Job:
    """A container that writes an outcome, says something, and ends when the test says so."""

    def __init__(self, say, *, value: object = 42, code: int = 0) -> None:
        self.say, self.value, self.code = say, value, code
        self.said, self.go = threading.Event(), threading.Event()

    def __call__(self, container) -> int:
        container.print(self.say(write_outcome(container, self.value)))
        self.said.set()
        self.go.wait(20)
        return self.code


def good_marker(outcome: BlobRef) -> str:
    return format_marker(outcome, MANIFEST)


def start(client, engine, job: Job, **members) -> None:
    engine.play = job
    client.create_training_job(**build_request(AlgorithmSpecification=ALGORITHM, **members))


@pytest.mark.parametrize("compression", ["NONE", "GZIP"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_value_ends_the_job_while_its_container_still_runs(client, engine, home, compression, code):
    job = Job(good_marker, code=code)
    start(client, engine, job, OutputDataConfig={"CompressionType": compression})
    description = wait_for_end(client, "fit-1")
    assert not engine.containers["smr-fit-1-a1-algo-1"].has_ended
    assert statuses(description) == ["Starting", "Training", "Uploading", "Completed"]
    base = home.store / LOCAL_BUCKET / "jobs" / "fit-1" / "output"
    expected = base / ("data/sm_remote/outcome" if compression == "NONE" else "output.tar.gz")
    assert expected.exists()
    job.go.set()
    wait_until(lambda: engine.removed)
    assert client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("say", "value"),
    [
        (lambda outcome: format_marker(outcome, "ef" * 32), 42),
        (lambda outcome: format_marker(BlobRef(digest=outcome.digest, size_bytes=1), MANIFEST), 42),
        (lambda outcome: "sm_remote outcome", 42),
        (lambda outcome: "sm_remote outcome x y z", 42),
        (good_marker, ValueError("x")),
    ],
)
def test_a_marker_that_does_not_fit_and_that_of_an_exception_end_nothing(client, engine, say, value):
    job = Job(say, value=value, code=1)
    start(client, engine, job)
    assert job.said.wait(20)
    time.sleep(0.05)
    assert client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "InProgress"
    job.go.set()
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Failed"


def test_a_stop_wins_over_a_value(client, engine):
    def play(container) -> int:
        container.sigterm.wait(20)
        container.print(format_marker(write_outcome(container), MANIFEST))
        return 0

    engine.play = play
    client.create_training_job(**build_request(AlgorithmSpecification=ALGORITHM))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    client.stop_training_job(TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Stopped"
