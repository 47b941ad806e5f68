"""The same call over a real S3 server instead of the embedded store."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote import remote
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
