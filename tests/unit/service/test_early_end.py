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


def run(client, engine, say, *, value: object = 42, code: int = 0, linger_s: float = 1.0, **members):
    """Plays a job that writes an outcome, says something and ends later; tells how long its end took to be known."""
    said = []

    def play(container) -> int:
        line = say(write_outcome(container, value))
        said.append(time.monotonic())
        container.print(line)
        threading.Event().wait(linger_s)
        return code

    engine.play = play
    client.create_training_job(**build_request(AlgorithmSpecification=ALGORITHM, **members))
    description = wait_for_end(client, "fit-1")
    return description, time.monotonic() - said[0]


@pytest.mark.parametrize("compression", ["NONE", "GZIP"])
def test_a_value_ends_the_job_while_its_container_still_runs(client, engine, home, compression):
    description, took_s = run(
        client,
        engine,
        lambda outcome: format_marker(outcome, MANIFEST),
        OutputDataConfig={"CompressionType": compression},
    )
    assert took_s < 0.8
    assert statuses(description) == ["Starting", "Training", "Uploading", "Completed"]
    base = home.store / LOCAL_BUCKET / "jobs" / "fit-1" / "output"
    expected = base / ("data/sm_remote/outcome" if compression == "NONE" else "output.tar.gz")
    assert expected.exists()
    wait_until(lambda: engine.removed)


def test_what_follows_the_value_cannot_turn_it_into_a_failure(client, engine):
    description, _ = run(
        client,
        engine,
        lambda outcome: format_marker(outcome, MANIFEST),
        code=1,
        linger_s=0.2,
        OutputDataConfig={"CompressionType": "NONE"},
    )
    assert description["TrainingJobStatus"] == "Completed"
    wait_until(lambda: engine.removed)


@pytest.mark.parametrize(
    "say",
    [
        lambda outcome: format_marker(outcome, "ef" * 32),
        lambda outcome: format_marker(BlobRef(digest=outcome.digest, size_bytes=outcome.size_bytes + 1), MANIFEST),
        lambda outcome: "sm_remote outcome",
        lambda outcome: "sm_remote outcome x y z",
    ],
)
def test_a_marker_that_does_not_fit_ends_nothing(client, engine, say):
    description, took_s = run(client, engine, say, code=1, linger_s=0.3)
    assert took_s >= 0.3
    assert description["TrainingJobStatus"] == "Failed"


def test_an_exception_takes_the_ordinary_way(client, engine):
    description, took_s = run(
        client, engine, lambda outcome: format_marker(outcome, MANIFEST), value=ValueError("x"), code=1, linger_s=0.3
    )
    assert took_s >= 0.3
    assert description["TrainingJobStatus"] == "Failed"


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
