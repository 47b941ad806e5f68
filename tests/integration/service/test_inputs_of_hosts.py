"""What several hosts of a job are given of its channels, and how they share its checkpoints."""

from __future__ import annotations

import threading

import pytest

from sm_remote.home import LOCAL_BUCKET
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end

TWO = {"InstanceCount": 2}


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def run(home, engine):
    with serve(home, engine) as discovery:
        client = make_client(discovery)

        def run_job(play, **members):
            engine.play = play
            client.create_training_job(**build_request(ResourceConfig=TWO, **members))
            description = wait_for_end(client, "fit-1", 120)
            assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")

        yield run_job


def host_of(container) -> str:
    return container.spec.cluster.host


def channel(mode: str, **members):
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": "s3://sm-remote-local/d/",
        "S3DataDistributionType": "ShardedByS3Key",
    }
    return {"ChannelName": "train", "InputMode": mode, "DataSource": {"S3DataSource": source}, **members}


def test_a_sharded_channel_is_divided_among_them(run, put):
    for number in range(5):
        put(f"d/{number}")
    found = {}

    def play(container) -> int:
        found[host_of(container)] = sorted(path.name for path in container.path("/opt/ml/input/data/train").iterdir())
        return 0

    run(play, InputDataConfig=[channel("File")])
    assert found == {"algo-1": ["0", "2", "4"], "algo-2": ["1", "3"]}


def test_each_epoch_of_a_shuffled_pipe_is_divided_anew(run, put):
    for number in range(10):
        put(f"d/{number}", str(number).encode())
    found = {}

    def play(container) -> int:
        data = container.path("/opt/ml/input/data")
        found[host_of(container)] = [(data / f"train_{epoch}").read_bytes() for epoch in range(3)]
        return 0

    run(play, InputDataConfig=[channel("Pipe", ShuffleConfig={"Seed": 11})])
    for first, second in zip(*found.values(), strict=True):
        assert len(first) == len(second) == 5
        assert sorted(first + second) == sorted(b"0123456789")
    assert len({bytes(sorted(epoch)) for epoch in found["algo-1"]}) > 1


def test_they_share_one_prefix_of_checkpoints_and_delete_only_what_they_had(run, put, home):
    put("ckpt/old", b"old")
    met = threading.Barrier(2, timeout=120)

    def play(container) -> int:
        here = container.path("/opt/ml/checkpoints")
        assert (here / "old").read_bytes() == b"old"
        (here / host_of(container)).write_text("mine")
        met.wait()
        if host_of(container) == "algo-1":
            (here / "old").unlink()
        return 0

    run(play, CheckpointConfig={"S3Uri": "s3://sm-remote-local/ckpt"})
    stored = home.store / LOCAL_BUCKET / "ckpt"
    assert {path.name: path.read_text() for path in stored.iterdir()} == {"algo-1": "mine", "algo-2": "mine"}
