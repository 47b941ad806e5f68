"""What every request to S3 says beside itself: whose the bucket must be, and which key encrypts what is written.

It is added where the client sends, not where a call is written, so that no call can forget it: those of boto3's own
transfers, those of a paginator, and those of code that is yet to come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sm_remote.errors import ConfigError

_WRITING = frozenset({"PutObject", "CreateMultipartUpload", "CopyObject"})
"""The operations that decide how an object is encrypted; the parts of an upload follow its beginning.
Source: Amazon S3 User Guide, "Specifying server-side encryption with AWS KMS"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Terms:
    """On which terms buckets are used.

    Attributes:
        bucket_owner: The account that must own the buckets; None for the caller's own, where that is known.
        kms_key: The key of KMS that encrypts what is written; None for the bucket's own encryption.
    """

    bucket_owner: str | None = None
    kms_key: str | None = None


USUAL_TERMS = S3Terms()


def impose_terms(client: Any, terms: S3Terms, *, find_account: Callable[[], str | None]) -> Any:
    """Makes a client for S3 say the terms in each of its requests, and gives it back.

    Args:
        client: A boto3 client for S3.
        terms: What to say.
        find_account: Tells the caller's own account, or None where it owns no bucket; called at each request.

    Raises:
        ConfigError: At a request: boto3 is too old to name the owner.
    """

    def add(params: dict[str, Any], model: Any, **_: Any) -> None:
        members = model.input_shape.members if model.input_shape else {}
        owner = terms.bucket_owner or find_account()
        for member in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
            if owner is not None and member in members:
                params.setdefault(member, owner)
        if terms.kms_key is not None and model.name in _WRITING:
            _require(members, "BucketKeyEnabled")
            params.setdefault("ServerSideEncryption", "aws:kms")
            params.setdefault("SSEKMSKeyId", terms.kms_key)
            params.setdefault("BucketKeyEnabled", True)

    client.meta.events.register("before-parameter-build.s3", add)
    return client


def _require(members: Any, name: str) -> None:
    if name not in members:
        raise ConfigError(
            f"This boto3 cannot say {name} to S3, which s3_kms_key needs.", fix="`pip install --upgrade boto3`."
        )
