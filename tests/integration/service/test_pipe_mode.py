"""Pipe mode as a user of boto3 has it: on both engines, out of S3, and over the service's death."""

from __future__ import annotations

import gzip
import os
import signal

import pytest

from sm_remote.aws.local_service import ServiceOptions, ensure_service
from sm_remote.home import LOCAL_BUCKET, find_home
from tests.engines import record_interpreter
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end, wait_until
from tests.user_jobs import build_python_job

BUCKET = "service-pipes"
READ_TWO_EPOCHS = """
data = ml / "input/data"
assert not (data / "train").exists()
for epoch in range(2):
    assert [path.name for path in data.iterdir()] == [f"train_{epoch}"], list(data.iterdir())
    content = (data / f"train_{epoch}").read_bytes()
    (ml / f"output/data/epoch-{epoch}").write_bytes(content)
"""
WAIT_IN_THE_MIDDLE = """
with open(ml / "input/data/train_0", "rb", buffering=0) as pipe:
    size = len(pipe.read(1000))
    (ml / "output/data/begun").touch()
    while not (ml / "output/data/go-on").exists():
        time.sleep(0.02)
    while piece := pipe.read(1 << 20):
        size += len(piece)
print("read", size)
assert size == 20 << 20, size
assert (ml / "input/data/train_1").read_bytes()
"""


def pipe_channel(uri: str, **members):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    return {"ChannelName": "train", "InputMode": "Pipe", "DataSource": {"S3DataSource": source}, **members}


def put(home, key: str, content: bytes) -> None:
    path = home.store / LOCAL_BUCKET / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def user(engine):
    """A boto3 client of the real service on an engine, its home, and an image."""
    home = find_home()
    discovery = ensure_service(home, ServiceOptions(engine=engine))
    return make_client(discovery), home, record_interpreter(home)


@pytest.mark.service
def test_each_epoch_has_a_pipe_with_all_objects_decompressed(user, engine):
    client, home, image = user
    for number in range(3):
        put(home, f"pipe-{engine}/{number}.gz", gzip.compress(str(number).encode() * 100_000))
    name = f"pipe-{engine}"
    channel = pipe_channel(f"s3://sm-remote-local/pipe-{engine}/", CompressionType="Gzip")
    output = {"S3OutputPath": "s3://sm-remote-local/out", "CompressionType": "NONE"}
    client.create_training_job(
        **build_python_job(name, READ_TWO_EPOCHS, image, InputDataConfig=[channel], OutputDataConfig=output)
    )
    description = wait_for_end(client, name, 120)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    for epoch in range(2):
        written = home.store / LOCAL_BUCKET / "out" / name / "output" / "data" / f"epoch-{epoch}"
        assert written.read_bytes() == b"0" * 100_000 + b"1" * 100_000 + b"2" * 100_000


@pytest.mark.service
def test_a_job_reads_on_while_the_service_is_dead(user, engine):
    client, home, image = user
    put(home, f"reads-on-{engine}/a", bytes(20 << 20))
    name = f"reads-on-{engine}"
    channel = pipe_channel(f"s3://sm-remote-local/reads-on-{engine}/")
    client.create_training_job(**build_python_job(name, WAIT_IN_THE_MIDDLE, image, InputDataConfig=[channel]))
    (begun,) = wait_until(lambda: list((home.jobs / name).glob("a*/algo-1/output/data/begun")), 120)
    os.kill(ensure_service(home, ServiceOptions(engine=engine)).pid, signal.SIGKILL)
    begun.with_name("go-on").touch()
    client = make_client(ensure_service(home, ServiceOptions(engine=engine)))
    description = wait_for_end(client, name, 120)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")


@pytest.mark.service
def test_an_object_that_cannot_be_read_fails_the_job_and_is_named(user, engine):
    client, home, image = user
    put(home, f"broken-{engine}/a.gz", b"no gzip")
    name = f"broken-{engine}"
    channel = pipe_channel(f"s3://sm-remote-local/broken-{engine}/", CompressionType="Gzip")
    client.create_training_job(**build_python_job(name, READ_TWO_EPOCHS, image, InputDataConfig=[channel]))
    description = wait_for_end(client, name, 120)
    assert description["FailureReason"] == (
        f"ClientError: Data download failed:s3://sm-remote-local/broken-{engine}/a.gz: it is not gzip: "
        "Error -3 while decompressing data: incorrect header check"
    )


@pytest.mark.s3
def test_a_pipe_is_fed_from_s3(home, s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3 = s3_server.client()
    s3.create_bucket(Bucket=BUCKET)
    content = {"a": os.urandom(3 << 20), "b": b"", "c": b"end"}
    for key, body in content.items():
        s3.put_object(Bucket=BUCKET, Key=f"d/{key}", Body=body)
    seen = []

    def play(container) -> int:
        seen.extend(container.path(f"/opt/ml/input/data/train_{epoch}").read_bytes() for epoch in range(2))
        return 0

    with serve(home, FakeEngine(play)) as discovery:
        client = make_client(discovery)
        client.create_training_job(**build_request(InputDataConfig=[pipe_channel(f"s3://{BUCKET}/d/")]))
        description = wait_for_end(client, "fit-1", 120)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    assert seen == [b"".join(content.values())] * 2
