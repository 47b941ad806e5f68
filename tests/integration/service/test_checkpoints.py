"""Checkpoints as a user of boto3 has them: on both engines, over a stop, over the service's death, in S3."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

import pytest

from sm_remote.aws.local_service import ServiceOptions, ensure_service
from sm_remote.home import LOCAL_BUCKET, Home, find_home
from tests.engines import record_interpreter
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end, wait_until
from tests.user_jobs import build_python_job

HERE = 'here = ml / "checkpoints"\n'
TRAIN = (
    HERE
    + """
import json
assert json.loads((ml / "input/config/checkpointconfig.json").read_text()) == {"LocalPath": "/opt/ml/checkpoints"}
done = max((int(path.stem) for path in here.glob("*.pt")), default=0)
print("goes on after", done, flush=True)
for epoch in range(done + 1, done + 3):
    (here / f"{epoch}.pt").write_text(f"weights {epoch}")
    (here / f"{epoch - 2}.pt").unlink(missing_ok=True)
"""
)
WAIT_FOR_UPLOAD = (
    HERE
    + """
(here / "deep").mkdir()
(here / "deep/1.pt").write_text("one")
(here / "tmp.sagemaker-ignore").write_text("half")
while not (here / "deep/1.pt.sagemaker-uploaded").exists():
    time.sleep(0.05)
(here / "deep/1.pt").unlink()
(here / "2.pt").write_text("two")
while not (here / "2.pt.sagemaker-uploaded").exists():
    time.sleep(0.05)
print("uploaded", flush=True)
time.sleep(600)
"""
)


def build_job(name: str, code: str, image: str, uri: str):
    return build_python_job(name, code, image, CheckpointConfig={"S3Uri": uri})


def list_stored(home, prefix: str) -> dict[str, str]:
    root = home.store / LOCAL_BUCKET / prefix
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def user(engine):
    """A boto3 client of the real service on an engine, its home, and an image."""
    home = find_home()
    discovery = ensure_service(home, ServiceOptions(engine=engine))
    return make_client(discovery), home, record_interpreter(home)


@pytest.mark.service
def test_a_job_goes_on_where_the_last_one_of_its_uri_stood(user, engine):
    client, home, image = user
    for number in (1, 2):
        name = f"goes-on-{engine}-{number}"
        request = build_job(name, TRAIN, image, f"s3://sm-remote-local/goes-on-{engine}")
        client.create_training_job(**request)
        description = wait_for_end(client, name, 120)
        assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
        assert description["CheckpointConfig"] == request["CheckpointConfig"]
        last = 2 * number
        stored = list_stored(home, f"goes-on-{engine}")
        assert stored == {f"{epoch}.pt": f"weights {epoch}" for epoch in (last - 1, last)}


@pytest.mark.service
def test_a_running_job_is_synchronised_with_deletions_and_a_stopped_one_is_flushed(user, engine):
    client, home, image = user
    name, prefix = f"in-step-{engine}", f"in-step-{engine}"
    client.create_training_job(**build_job(name, WAIT_FOR_UPLOAD, image, f"s3://sm-remote-local/{prefix}/"))
    wait_until(lambda: list_stored(home, prefix) == {"2.pt": "two"}, 120)
    client.stop_training_job(TrainingJobName=name)
    assert wait_for_end(client, name, 150)["TrainingJobStatus"] == "Stopped"
    assert list_stored(home, prefix) == {"2.pt": "two"}


@pytest.mark.service
def test_a_service_that_was_killed_goes_on_with_the_checkpoints_of_a_running_job(user, engine):
    client, home, image = user
    name, prefix = f"killed-{engine}", f"killed-{engine}"
    code = (
        HERE
        + """
for name in ("kept", "deleted"):
    (here / name).write_text(name)
while not all((here / f"{name}.sagemaker-uploaded").exists() for name in ("kept", "deleted")):
    time.sleep(0.05)
while not (here / "kept.sagemaker-ignore").exists():
    time.sleep(0.05)
(here / "deleted").unlink()
(here / "new").write_text("new")
"""
    )
    client.create_training_job(**build_job(name, code, image, f"s3://sm-remote-local/{prefix}"))
    wait_until(lambda: sorted(list_stored(home, prefix)) == ["deleted", "kept"], 120)
    os.kill(ensure_service(home, ServiceOptions(engine=engine)).pid, signal.SIGKILL)
    (tree,) = (home.jobs / name).glob("a*/algo-1/checkpoints")
    (tree / "kept.sagemaker-ignore").touch()  # what the job does next, no service sees
    client = make_client(ensure_service(home, ServiceOptions(engine=engine)))
    assert wait_for_end(client, name, 120)["TrainingJobStatus"] == "Completed"
    assert list_stored(home, prefix) == {"kept": "kept", "new": "new"}


@dataclass(frozen=True)
class Folder:
    """A prefix of the S3 server's one bucket, as a boto3 user sees it."""

    client: Any
    bucket: str
    prefix: str

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=content)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()

    def list(self, prefix: str) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix + prefix)["Contents"]
        return sorted(item["Key"].removeprefix(self.prefix) for item in found)


class TestInS3:
    """Against a real S3 server; the engine is a fake, for it has nothing to do with S3."""

    pytestmark = pytest.mark.s3

    @pytest.fixture
    def home(self, tmp_path):
        return Home(data=tmp_path / "home", cache=tmp_path / "home" / "cache")

    @pytest.fixture
    def s3(self, s3_server, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return Folder(s3_server.client(), s3_server.bucket, "service-checkpoints/")

    @pytest.fixture
    def run(self, home, s3):
        engine = FakeEngine()
        with serve(home, engine) as discovery:
            client = make_client(discovery)

            def run_job(name, play, uri):
                engine.play = play
                client.create_training_job(**build_request(name, CheckpointConfig={"S3Uri": uri}))
                return wait_for_end(client, name)

            yield run_job

    def test_a_prefix_is_restored_and_brought_into_step(self, run, s3):
        for key in ("p/1.pt", "p/deep/2.pt", "p/gone.pt", "p/", "p-of-another/x"):
            s3.put(key, key.encode())
        seen = {}

        def play(container) -> int:
            here = container.path("/opt/ml/checkpoints")
            seen.update({str(path.relative_to(here)): path.read_text() for path in here.rglob("*") if path.is_file()})
            (here / "gone.pt").unlink()
            (here / "deep" / "2.pt").write_text("changed")
            (here / "new.pt").write_text("new")
            return 0

        description = run("s3-in-step", play, s3.uri("p"))
        assert description["TrainingJobStatus"] == "Completed", description
        assert seen == {"1.pt": "p/1.pt", "deep/2.pt": "p/deep/2.pt", "gone.pt": "p/gone.pt"}
        assert s3.list("p/") == ["p/", "p/1.pt", "p/deep/2.pt", "p/new.pt"]
        assert s3.get("p/deep/2.pt") == b"changed"

    def test_a_failed_job_keeps_what_it_wrote(self, run, s3):
        def play(container) -> int:
            container.path("/opt/ml/checkpoints/1.pt").write_text("one")
            return 3

        description = run("s3-failed", play, s3.uri("failed/"))
        assert description["FailureReason"] == "AlgorithmError: , exit code: 3"
        assert s3.get("failed/1.pt") == b"one"

    def test_a_bucket_that_is_not_there_fails_the_job_before_it_runs(self, run):
        description = run("s3-nowhere", lambda container: 0, "s3://no-such-bucket-here/p")
        assert description["FailureReason"].startswith("ClientError: Data download failed:s3://no-such-bucket-here/p")
        assert "ModelArtifacts" not in description or not description["ModelArtifacts"].get("S3ModelArtifacts")

    def test_a_job_whose_checkpoints_cannot_be_uploaded_does_not_end_well(self, run, s3, s3_server, monkeypatch):
        def play(container) -> int:
            container.path("/opt/ml/checkpoints/1.pt").write_text("one")
            return 0

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.reader_access_key)
        description = run("s3-refused", play, s3.uri("refused"))
        assert description["TrainingJobStatus"] == "Failed"
        assert description["FailureReason"].startswith(
            f"ClientError: Artifact upload failed:checkpoints: {s3.uri('refused/1.pt')}: "
        )
        assert "AccessDenied" in description["FailureReason"]
