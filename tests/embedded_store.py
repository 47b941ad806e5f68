"""The embedded store as the service sees it, for tests of its parts and of the whole. Registered by the conftest."""

from __future__ import annotations

import pytest

from sm_remote.home import LOCAL_BUCKET


@pytest.fixture
def bucket_directory(home):
    """Where the embedded store's objects lie."""
    directory = home.store / LOCAL_BUCKET
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def buckets(home, bucket_directory):
    """The embedded store alone: whoever reaches for S3 fails."""
    from sm_remote.service.storage.buckets import Buckets

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
