"""What only S3 can get wrong: authentication, races between writers, and transfers in parts."""

import itertools
import json
import os
import uuid

import pytest
from botocore.exceptions import ClientError

from sm_remote.errors import StorageError
from sm_remote.home import find_home
from sm_remote.storage.s3 import S3Store
from sm_remote.storage.s3_upload import PART_BYTES, ViewReader, plan_parts


@pytest.mark.s3
def test_a_wrong_secret_is_refused_and_explained(s3_server, tmp_path):
    stranger = S3Store(s3_server.client(secret_key="wrong"), bucket=s3_server.bucket, prefix="", cache_dir=tmp_path)
    with pytest.raises(StorageError, match="secret key does not belong"):
        stranger.put_if_absent("key", b"bytes")
    with pytest.raises(StorageError, match="secret key does not belong"):
        stranger.get("key")
    with pytest.raises(StorageError, match="Access was denied"):
        stranger.head("key")


@pytest.mark.s3
def test_a_bucket_that_does_not_exist_is_named(s3_server, tmp_path):
    bucket = f"absent-{uuid.uuid4().hex[:12]}"
    store = S3Store(s3_server.client(), bucket=bucket, prefix="", cache_dir=tmp_path)
    with pytest.raises(StorageError, match=f"The bucket '{bucket}' does not exist"):
        list(store.list(""))  # a write would make the bucket: the tests' identity is an administrator


@pytest.mark.slow
def test_an_endpoint_that_does_not_answer_is_explained(tmp_path):
    from tests.s3_server import S3Server

    server = S3Server(endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b")
    store = S3Store(server.client(max_attempts=1), bucket="bucket", prefix="", cache_dir=tmp_path)
    with pytest.raises(StorageError, match="endpoint could not be reached"):
        store.head("key")


@pytest.mark.s3
def test_a_failed_upload_in_parts_leaves_no_parts(s3_server, tmp_path):
    client = s3_server.client()
    prefix = uuid.uuid4().hex
    store = S3Store(_SecondPartFails(client), bucket=s3_server.bucket, prefix=prefix, cache_dir=tmp_path)
    with pytest.raises(StorageError, match="slow down"):
        store.put_if_absent("key", bytes(PART_BYTES + 1))
    assert store.head("key") is None
    assert client.list_multipart_uploads(Bucket=s3_server.bucket, Prefix=prefix).get("Uploads", []) == []


@pytest.mark.s3
def test_a_second_fetch_downloads_nothing(s3_server, tmp_path):
    client = s3_server.client()
    home = find_home({"SM_REMOTE_HOME": str(tmp_path)})
    store = S3Store(client, bucket=s3_server.bucket, prefix=uuid.uuid4().hex, cache_dir=home.cache / "blobs")
    store.put_if_absent("key", b"bytes")
    first = store.fetch("key")
    written = first.stat().st_mtime_ns
    assert store.fetch("key") == first
    assert first.stat().st_mtime_ns == written
    assert [path for path in (home.cache / "blobs").rglob("*") if path.is_file()] == [first]


@pytest.mark.slow
def test_writers_in_each_others_way_try_again_and_then_give_up(tmp_path):
    client = _AlwaysInTheWay()
    store = S3Store(client, bucket="bucket", prefix="", cache_dir=tmp_path)
    with pytest.raises(StorageError, match="Another writer was in the way 3 times"):
        store.put_if_absent("key", b"bytes")
    assert client.tries == 3


def test_parts_cover_a_size_and_never_exceed_what_s3_allows():
    for size in (1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, 5 << 40):
        parts = plan_parts(size)
        assert parts[0].start == 0
        assert parts[-1].stop == size
        assert all(left.stop == right.start for left, right in itertools.pairwise(parts))
        assert len(parts) <= 10_000


def test_a_view_is_read_as_a_file_and_can_be_rewound():
    content = os.urandom(1000)
    reader = ViewReader(memoryview(content))
    assert reader.read(10) == content[:10]
    assert reader.tell() == 10
    assert reader.seek(-5, os.SEEK_END) == 995
    assert reader.read() == content[-5:]
    assert reader.read(1) == b""
    assert reader.seek(0) == 0
    assert reader.read() == content
    assert len(reader) == 1000


class _SecondPartFails:
    """A real client, whose second part the server is made to refuse."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def upload_part(self, **call):
        if call["PartNumber"] == 2:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "m"}}, "UploadPart")
        return self._client.upload_part(**call)


class _AlwaysInTheWay:
    tries = 0

    @property
    def meta(self):
        import boto3

        return boto3.session.Session().client("s3", region_name="us-east-1").meta

    def put_object(self, **call):
        self.tries += 1
        assert call["IfNoneMatch"] == "*"
        raise ClientError({"Error": {"Code": "ConditionalRequestConflict", "Message": json.dumps({})}}, "PutObject")
