"""What tests of the service share."""

from __future__ import annotations

import pytest

from sm_remote.home import LOCAL_BUCKET
from sm_remote.service.objects import Buckets


@pytest.fixture
def bucket_directory(home):
    """Where the embedded store's objects lie."""
    directory = home.store / LOCAL_BUCKET
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def buckets(home, bucket_directory):
    """The embedded store alone: no test of this folder reaches S3."""

    def no_client():
        raise AssertionError("no S3 here")

    return Buckets(home, no_client)


@pytest.fixture
def put(bucket_directory):
    """Puts an object into the embedded store."""

    def put_object(key: str, content: bytes = b"content"):
        path = bucket_directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)
        return path

    return put_object
