"""The same call over a real S3 server instead of the embedded store."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sm_remote import remote, replay
from tests.cells import run_cell

pytestmark = [pytest.mark.service, pytest.mark.s3, pytest.mark.slow]


@pytest.fixture
def root_uri(s3_server: Any, homes: Any, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A place on the S3 server; the service is one of its own, since it takes its credentials at its start."""
    from sm_remote.aws.local_service import find_service, stop_service
    from sm_remote.home import find_home

    monkeypatch.setenv("SM_REMOTE_HOME", str(tmp_path_factory.mktemp("home-s3")))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield f"s3://{s3_server.bucket}/calls"
    found = find_service(find_home())
    if found is not None:
        stop_service(find_home(), found[0])


def test_a_call_with_a_big_array_and_packages_over_s3(root_uri: str) -> None:
    import numpy as np

    cell = run_cell(
        """
        @remote(stream_logs=False)
        def double(a):
            import sklearn
            return 2 * a, sklearn.__version__

        @remote(stream_logs=False)
        def fail():
            return 1 / 0
        """,
        {"__name__": "__main__", "remote": remote},
    )
    array = np.arange(1_000_000.0)
    doubled, _ = cell["double"].options(s3_root_uri=root_uri)(array)
    assert (doubled == 2 * array).all()
    with pytest.raises(ZeroDivisionError):
        cell["fail"].options(s3_root_uri=root_uri)()


def test_a_channel_of_the_users_own_data_from_s3(root_uri: str, s3_server: Any) -> None:
    s3_server.client().put_object(Bucket=s3_server.bucket, Key="data/part-1/a.csv", Body=b"x\n1\n")
    cell = run_cell(
        """
        import os
        @remote(stream_logs=False)
        def read():
            channel = os.environ["SM_CHANNEL_TRAIN"]
            return open(os.path.join(channel, "part-1", "a.csv")).read()
        """,
        {"__name__": "__main__", "remote": remote},
    )
    read = cell["read"].options(inputs={"train": f"s3://{s3_server.bucket}/data/"})
    assert read() == "x\n1\n"


def test_a_lock_in_s3_knows_the_state_of_the_input_and_the_job_can_be_run_again(root_uri: str, s3_server: Any) -> None:
    etag = s3_server.client().put_object(Bucket=s3_server.bucket, Key="lock/a.csv", Body=b"x\n1\n")["ETag"]
    uri = f"s3://{s3_server.bucket}/lock/a.csv"
    cell = run_cell(
        """
        @remote(stream_logs=False, s3_root_uri=root, inputs={"train": uri})
        def number():
            return 3
        """,
        {"__name__": "__main__", "remote": remote, "root": root_uri, "uri": uri},
    )
    job = cell["number"].submit()
    assert job.result() == 3
    key = f"calls/jobs/{job.name}/job.lock.json"
    deadline = time.monotonic() + 120
    while not s3_server.client().list_objects_v2(Bucket=s3_server.bucket, Prefix=key).get("Contents"):
        assert time.monotonic() < deadline, "no lock"
        time.sleep(0.1)
    lock = json.loads(s3_server.client().get_object(Bucket=s3_server.bucket, Key=key)["Body"].read())
    assert lock["data"]["train"] == {
        "uri": uri,
        "objects": 1,
        "size_bytes": 4,
        "etag": etag.strip('"'),
        "digest": lock["data"]["train"]["digest"],
    }
    assert replay(job).result() == 3
