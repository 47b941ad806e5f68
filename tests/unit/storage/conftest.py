"""One fixture gives each store in turn, so that every test of the contract holds for both."""

import uuid
from pathlib import Path

import pytest

from sm_remote.home import find_home
from sm_remote.storage import open_store


@pytest.fixture(params=["embedded", pytest.param("s3", marks=pytest.mark.s3)])
def store(request, tmp_path: Path):
    home = find_home({"SM_REMOTE_HOME": str(tmp_path / "home of someone")})
    if request.param == "embedded":
        return open_store("s3://sm-remote-local/sm_remote", home=home, s3_client_factory=_no_client)
    server = request.getfixturevalue("s3_server")
    client = server.client()
    root_uri = f"s3://{server.bucket}/some {uuid.uuid4().hex}/prefix"
    return open_store(root_uri, home=home, s3_client_factory=lambda: client)


def _no_client():
    raise AssertionError("the embedded store must not make an S3 client")
