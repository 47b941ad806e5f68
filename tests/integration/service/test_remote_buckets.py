"""Channels from S3 and outputs to S3, with a real S3 server and boto3's own chain of credentials and endpoints."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from botocore.exceptions import ClientError

from sm_remote.service.storage.remote_bucket import RemoteBucket
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end

pytestmark = [pytest.mark.s3]

BUCKET = "service-channels"


@pytest.fixture
def s3(s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = s3_server.client()
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def client(home, engine, s3):
    with serve(home, engine) as discovery:
        yield make_client(discovery)


def channel(uri: str, data_type: str = "S3Prefix"):
    return {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": uri}}}


def run(client, engine, play, name: str, **members):
    engine.play = play
    client.create_training_job(**build_request(name, **members))
    return wait_for_end(client, name)


def read_train(into: dict):
    def play(container) -> int:
        base = container.path("/opt/ml/input/data/train")
        into.update({str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()})
        return 0

    return play


def test_a_prefix_of_a_bucket_is_downloaded(client, engine, s3):
    s3.put_object(Bucket=BUCKET, Key="prefix/a.csv", Body=b"a")
    s3.put_object(Bucket=BUCKET, Key="prefix/sub/b.csv", Body=b"b")
    seen: dict = {}
    description = run(client, engine, read_train(seen), "download", InputDataConfig=[channel(f"s3://{BUCKET}/prefix/")])
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    assert seen == {"a.csv": b"a", "sub/b.csv": b"b"}


def test_a_manifest_of_a_bucket_is_downloaded(client, engine, s3):
    s3.put_object(Bucket=BUCKET, Key="listed/x/a", Body=b"a")
    s3.put_object(Bucket=BUCKET, Key="m.manifest", Body=json.dumps([{"prefix": f"s3://{BUCKET}/listed/"}, "x/a"]))
    seen: dict = {}
    run(
        client,
        engine,
        read_train(seen),
        "manifest",
        InputDataConfig=[channel(f"s3://{BUCKET}/m.manifest", "ManifestFile")],
    )
    assert seen == {"x/a": b"a"}


def test_many_objects_are_downloaded_several_at_a_time_and_large_ones_whole(client, engine, s3):
    content = {f"{number}.bin": bytes([number]) * (number * 1000) for number in range(60)}
    content["large.bin"] = bytes(range(256)) * (70 << 12)
    for name, body in content.items():
        s3.put_object(Bucket=BUCKET, Key=f"many/{name}", Body=body)
    seen: dict = {}
    run(client, engine, read_train(seen), "many", InputDataConfig=[channel(f"s3://{BUCKET}/many/")])
    assert seen == content


def test_a_large_download_is_ended_by_a_stop_in_its_middle(s3, tmp_path):
    s3.put_object(Bucket=BUCKET, Key="large", Body=bytes(100 << 20))
    calls = []

    class StoppedError(Exception):
        pass

    def stop_at_the_third() -> None:
        calls.append(1)
        if len(calls) >= 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        RemoteBucket(s3, BUCKET).place("large", tmp_path / "large", stop_at_the_third)
    assert len(calls) < 40


def test_an_object_that_is_not_there_fails_the_job_before_it_runs(client, engine, s3):
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/listed/"}, "gone"])
    s3.put_object(Bucket=BUCKET, Key="gone.manifest", Body=manifest)
    source = channel(f"s3://{BUCKET}/gone.manifest", "ManifestFile")
    description = run(client, engine, read_train({}), "gone", InputDataConfig=[source])
    assert description["TrainingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith(
        f"ClientError: Data download failed:s3://{BUCKET}/listed/gone: An error occurred (NoSuchKey)"
    )
    assert engine.starts == []


@pytest.mark.parametrize("compression", ["GZIP", "NONE"])
def test_outputs_are_uploaded_to_a_bucket(client, engine, s3, compression):
    def play(container) -> int:
        container.path("/opt/ml/model/w").write_text("w")
        return 0

    name = f"upload-{compression.lower()}"
    output = {"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": compression}
    description = run(client, engine, play, name, OutputDataConfig=output)
    assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
    if compression == "NONE":
        assert s3.get_object(Bucket=BUCKET, Key=f"out/{name}/output/model/w")["Body"].read() == b"w"
        return
    body = s3.get_object(Bucket=BUCKET, Key=f"out/{name}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["w"]


def test_a_bucket_that_is_not_there_is_refused_at_once(client, s3):
    with pytest.raises(ClientError, match=r"Invalid S3Uri s3://no-such-bucket-here/x: .*NoSuchBucket"):
        client.create_training_job(**build_request(InputDataConfig=[channel("s3://no-such-bucket-here/x")]))


def test_an_empty_prefix_is_refused_at_once(client, s3):
    with pytest.raises(ClientError, match="No S3 objects found under S3 URL"):
        client.create_training_job(**build_request(InputDataConfig=[channel(f"s3://{BUCKET}/nothing/")]))


def test_an_upload_that_is_refused_fails_the_job_and_says_why(client, engine, s3, monkeypatch):
    def play(container) -> int:
        container.path("/opt/ml/model/w").write_text("w")
        return 0

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    description = run(client, engine, play, "refused", OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"})
    assert description["TrainingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith(
        f"ClientError: Artifact upload failed:s3://{BUCKET}/out/refused/output/model.tar.gz: "
    )
