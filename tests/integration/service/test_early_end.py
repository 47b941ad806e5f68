"""A value's marker in the log ends the job before its container has ended."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

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
        self.go.wait(120)
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
    assert job.said.wait(120)
    time.sleep(0.05)
    assert client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "InProgress"
    job.go.set()
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Failed"


def test_a_stop_wins_over_a_value(client, engine):
    def play(container) -> int:
        container.sigterm.wait(120)
        container.print(format_marker(write_outcome(container), MANIFEST))
        return 0

    engine.play = play
    client.create_training_job(**build_request(AlgorithmSpecification=ALGORITHM))
    wait_until(lambda: client.describe_training_job(TrainingJobName="fit-1")["SecondaryStatus"] == "Training")
    client.stop_training_job(TrainingJobName="fit-1")
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Stopped"


@pytest.mark.parametrize("compression", ["NONE", "GZIP"])
def test_a_model_is_collected_only_when_the_container_has_ended(client, engine, home, compression):
    job = Job(good_marker)

    def play(container) -> int:
        container.path("/opt/ml/model/weights").write_bytes(b"w")
        return job(container)

    start(client, engine, play, OutputDataConfig={"CompressionType": compression})
    assert job.said.wait(120)
    time.sleep(0.05)
    assert client.describe_training_job(TrainingJobName="fit-1")["TrainingJobStatus"] == "InProgress"
    job.go.set()
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Completed"
    base = home.store / LOCAL_BUCKET / "jobs" / "fit-1" / "output"
    model, data = (
        ("model/weights", "data/sm_remote/outcome") if compression == "NONE" else ("model.tar.gz", "output.tar.gz")
    )
    assert (base / model).exists()
    assert (base / data).exists()


@pytest.fixture
def secret(tmp_path) -> Path:
    """A file of this host that has the name of an outcome."""
    path = tmp_path / "private" / "outcome"
    path.parent.mkdir()
    path.write_bytes(b"secret")
    return path


def swap(data: Path, secret: Path) -> None:
    """Puts a link to a directory of this host where the outcome's directory was."""
    (data / "sm_remote").rename(data.parent / "aside")
    (data / "sm_remote").symlink_to(secret.parent)


def swap_back(data: Path) -> None:
    (data / "sm_remote").unlink()
    (data.parent / "aside").rename(data / "sm_remote")


def published(home) -> list[bytes]:
    base = home.store / LOCAL_BUCKET / "jobs"
    return [path.read_bytes() for path in base.rglob("*") if path.is_file()]


@pytest.mark.parametrize("point", ["run.value_seen", "run.value_taken", "collect.mid_upload"])
def test_a_directory_that_becomes_a_link_while_it_is_collected_gives_no_file_of_this_host(home, engine, secret, point):
    job = Job(good_marker)
    trees: list[Path] = []
    fired = threading.Event()

    def play(container) -> int:
        trees.append(container.path("/opt/ml/output/data"))
        return job(container)

    def reach(reached: str) -> None:
        if reached == point and not fired.is_set():
            fired.set()
            swap(trees[0], secret) if (trees[0] / "sm_remote").exists() else None
            job.go.set()

    with serve(home, engine, reach=reach) as found:
        client = make_client(found)
        start(client, engine, play, OutputDataConfig={"CompressionType": "NONE"})
        assert wait_for_end(client, "fit-1")["TrainingJobStatus"] in ("Completed", "Failed")
    assert fired.is_set()
    assert secret.read_bytes() == b"secret"
    assert b"secret" not in published(home)


def test_a_job_that_keeps_swapping_directories_gets_no_file_of_this_host(client, engine, home, secret):
    def play(container) -> int:
        outcome = write_outcome(container)
        data = container.path("/opt/ml/output/data")
        secret.write_bytes(b"s" * outcome.size_bytes)
        container.print(good_marker(outcome))
        until = time.monotonic() + 0.05
        while time.monotonic() < until and os.listdir(data / "sm_remote"):
            swap(data, secret)
            swap_back(data)
        return 0

    engine.play = play
    for number in range(10):
        members = {"AlgorithmSpecification": ALGORITHM, "OutputDataConfig": {"CompressionType": "NONE"}}
        client.create_training_job(**build_request(f"fit-{number}", **members))
        wait_for_end(client, f"fit-{number}")
        assert secret.exists()
        assert secret.read_bytes() not in published(home)


def test_a_linked_outcome_and_one_with_a_second_name_are_no_values(client, engine, secret):
    def play(container) -> int:
        outcome = write_outcome(container)
        path = container.path("/opt/ml/output/data/sm_remote/outcome")
        os.link(path, secret.with_name("second"))
        container.print(good_marker(outcome))
        path.unlink()
        path.symlink_to(secret.with_name("second"))
        container.print(good_marker(outcome))
        time.sleep(0.05)
        return 1

    engine.play = play
    client.create_training_job(**build_request(AlgorithmSpecification=ALGORITHM))
    assert wait_for_end(client, "fit-1")["TrainingJobStatus"] == "Failed"
