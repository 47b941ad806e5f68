"""The root's URI decides which store is opened."""

import subprocess
import sys

import pytest

from sm_remote.errors import ConfigError
from sm_remote.home import find_home
from sm_remote.storage import open_store, parse_s3_uri


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix"),
    [
        ("s3://sm-remote-local", "sm-remote-local", ""),
        ("s3://sm-remote-local/", "sm-remote-local", ""),
        ("s3://my.bucket-1/team/a b", "my.bucket-1", "team/a b"),
        ("s3://abc/x/", "abc", "x"),
    ],
)
def test_a_root_is_split_into_bucket_and_prefix(uri, bucket, prefix):
    assert parse_s3_uri(uri) == (bucket, prefix)


@pytest.mark.parametrize(
    "uri", ["", "bucket", "s3://", "s3://B", "s3://UPPER/x", "file:///tmp", "https://s3/x", "s3:/abc"]
)
def test_what_is_no_s3_uri_is_refused(uri):
    with pytest.raises(ConfigError, match="is not the URI") as caught:
        parse_s3_uri(uri)
    assert "s3_root_uri" in caught.value.fix


def test_the_reserved_bucket_is_the_embedded_store(tmp_path):
    home = find_home({"SM_REMOTE_HOME": str(tmp_path)})
    store = open_store("s3://sm-remote-local/sm_remote/", home=home, s3_client_factory=_refuse)
    assert store.root_uri == "s3://sm-remote-local/sm_remote"
    assert not home.store.exists()


def test_the_embedded_store_needs_no_botocore():
    code = "import sys, sm_remote.storage; sys.exit(any(name in sys.modules for name in ('boto3', 'botocore')))"
    subprocess.run([sys.executable, "-c", code], check=True)


def _refuse():
    raise AssertionError("no S3 client is needed")
