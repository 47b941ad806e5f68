"""Finds the place that a URI names: the embedded store, or a bucket of S3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.service.storage.local_bucket import LocalBucket
from sm_remote.service.storage.objects import Bucket, ObjectUri
from sm_remote.service.storage.remote_bucket import RemoteBucket, translated_errors


class Buckets:
    """Finds the place that a URI names.

    Args:
        home: Where the embedded store is.
        make_client: Makes an S3 client; called when the first URI of another bucket comes.
    """

    def __init__(self, home: Home, make_client: Callable[[], Any]) -> None:
        self._local = LocalBucket(home)
        self._make_client = make_client
        self._client: Any = None

    def find(self, uri: ObjectUri, *, kms_key_id: str | None = None) -> Bucket:
        """The bucket of a URI; what is put into one of S3 is encrypted with the key, where one is given."""
        if uri.bucket == LOCAL_BUCKET:
            return self._local
        if self._client is None:
            with translated_errors(str(uri)):
                self._client = self._make_client()
        return RemoteBucket(self._client, uri.bucket, kms_key_id=kms_key_id)
