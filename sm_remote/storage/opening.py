"""Opens the store that a root's URI names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.storage.store import Store, parse_s3_uri


def open_store(root_uri: str, *, home: Home, s3_client_factory: Callable[[], Any]) -> Store:
    """Opens the embedded store for the reserved bucket, S3 for every other.

    Args:
        root_uri: ``s3://bucket`` or ``s3://bucket/prefix``.
        home: Whose store directory and cache are used.
        s3_client_factory: Makes the boto3 client; called only when the root lies in S3.

    Raises:
        ConfigError: The URI is malformed.
    """
    bucket, prefix = parse_s3_uri(root_uri)
    if bucket == LOCAL_BUCKET:
        return EmbeddedStore(home.store, bucket=bucket, prefix=prefix)
    # Imported here because botocore takes longer to import than a local job's whole submission.
    from sm_remote.storage.s3 import S3Store

    return S3Store(s3_client_factory(), bucket=bucket, prefix=prefix, cache_dir=home.cache / "blobs")
