"""FastFile mode as a user of boto3 has it: a view of S3 on both engines, and a download where there can be none."""

from __future__ import annotations

import ctypes.util
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.aws.local_service import ServiceOptions, ensure_service, find_service, stop_service
from sm_remote.home import find_home
from tests.engines import record_interpreter
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end, wait_until
from tests.user_jobs import build_python_job

pytestmark = [pytest.mark.s3, pytest.mark.service]

BUCKET = "service-fast-file"
NO_FUSE = "no FUSE here: /dev/fuse or libfuse is missing (apt-get install fuse3)"
needs_fuse = pytest.mark.skipif(
    not (os.path.exists("/dev/fuse") and ctypes.util.find_library("fuse3")) or os.geteuid() != 0, reason=NO_FUSE
)
READ = """
here = ml / "input/data/train"
assert sorted(str(path.relative_to(here)) for path in here.rglob("*")) == ["deep", "deep/b", "large"]
assert (here / "deep/b").read_bytes() == b"b"
assert (here / "deep/b").stat().st_size == 1
with open(here / "large", "rb") as file:
    file.seek(9 << 20)
    assert file.read(4) == bytes([9] * 4)
for write in (lambda: (here / "new").touch(), lambda: open(here / "deep/b", "a"), lambda: (here / "large").unlink()):
    try:
        write()
    except OSError:
        continue
    raise AssertionError("the view can be written")
assert not (ml / "input/data/train-manifest").exists()
"""
WAIT = (
    READ
    + """
(ml / "output/data/begun").touch()
while not (ml / "output/data/go-on").exists():
    time.sleep(0.02)
content = (here / "large").read_bytes()
assert content == b"".join(bytes([n]) * (1 << 20) for n in range(10)), len(content)
"""
)


@pytest.fixture
def s3(s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = s3_server.client()
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="d/deep/b", Body=b"b")
        client.put_object(Bucket=BUCKET, Key="d/", Body=b"")
        client.put_object(Bucket=BUCKET, Key="d/large", Body=b"".join(bytes([n]) * (1 << 20) for n in range(10)))
    return client


def fast_channel(uri: str = f"s3://{BUCKET}/d/"):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    return {"ChannelName": "train", "InputMode": "FastFile", "DataSource": {"S3DataSource": source}}


@pytest.fixture
def user(engine, s3, tmp_path, monkeypatch):
    """A boto3 client of a real service of this test alone, which knows the S3 server; its home, and an image."""
    monkeypatch.setenv("SM_REMOTE_HOME", str(tmp_path / "home"))
    home = find_home()
    yield make_client(ensure_service(home, ServiceOptions(engine=engine))), home, record_interpreter(home)
    found = find_service(home)
    if found is not None:
        stop_service(home, found[0])


@needs_fuse
def test_a_job_reads_a_view_and_leaves_no_mount(user):
    client, home, image = user
    client.create_training_job(**build_python_job("fast", READ, image, InputDataConfig=[fast_channel()]))
    description = wait_for_end(client, "fast", 120)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    wait_until(lambda: str(home.jobs) not in Path("/proc/mounts").read_text())
    wait_until(lambda: list(home.jobs.iterdir()) == [])


@needs_fuse
def test_a_job_reads_on_while_the_service_is_dead(user, engine):
    client, home, image = user
    client.create_training_job(**build_python_job("fast", WAIT, image, InputDataConfig=[fast_channel()]))
    (begun,) = wait_until(lambda: list((home.jobs / "fast").glob("a*/algo-1/output/data/begun")), 120)
    os.kill(ensure_service(home, ServiceOptions(engine=engine)).pid, signal.SIGKILL)
    begun.with_name("go-on").touch()
    client = make_client(ensure_service(home, ServiceOptions(engine=engine)))
    description = wait_for_end(client, "fast", 120)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    wait_until(lambda: str(home.jobs) not in Path("/proc/mounts").read_text())


@needs_fuse
@pytest.mark.parametrize("point", ["stage.mid_download", "container.before_start", "exit.before_record"])
def test_a_service_that_dies_with_a_view_mounted_begins_anew_and_leaves_no_mount(service, s3, point):
    first = service.start(SMR_CRASH=point)
    # Where this engine's job finds the view.
    algorithm = {"ContainerEntrypoint": ["/bin/sh", "-c"], "ContainerArguments": ['cat "$ML/fast_file/train/deep/b"']}
    with suppress(BotoCoreError, ClientError):
        make_client(first).create_training_job(
            **build_request(AlgorithmSpecification=algorithm, InputDataConfig=[fast_channel()])
        )
    assert service.wait_for_death() == -signal.SIGKILL
    description = wait_for_end(make_client(service.start()), "fit-1", 60)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    wait_until(lambda: str(service.home.jobs) not in Path("/proc/mounts").read_text())
    wait_until(lambda: list(service.home.jobs.iterdir()) == [])


def test_where_there_can_be_no_view_the_channel_is_downloaded_and_the_log_says_so(home, s3, monkeypatch):
    monkeypatch.setenv("FUSE_LIBRARY_PATH", "/no/libfuse")
    seen = {}

    def play(container) -> int:
        base = container.path("/opt/ml/input/data/train")
        seen.update({str(path.relative_to(base)): path.stat().st_size for path in base.rglob("*") if path.is_file()})
        return 0

    with serve(home, FakeEngine(play)) as discovery:
        client, logs = make_client(discovery), make_client(discovery, "logs")
        client.create_training_job(**build_request(InputDataConfig=[fast_channel()]))
        assert wait_for_end(client, "fit-1", 120)["TrainingJobStatus"] == "Completed"
        group = "/aws/sagemaker/TrainingJobs"
        (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="fit-1/")["logStreams"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
    assert seen == {"deep/b": 1, "large": 10 << 20}
    assert any(
        each["message"].startswith("sm_remote: channel train is downloaded: there is no FastFile view of it here")
        for each in events["events"]
    )
