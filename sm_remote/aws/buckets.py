"""Buckets before anything is put into them: whether they are there, whose, and where; and how one is made.

Names of buckets are the whole world's: somebody else can have taken the one that SageMaker would use
(``sagemaker-<region>-<account>`` can be guessed), and would be given whatever is stored there. So every request names
the owner (`sm_remote.aws.s3_terms`), and a bucket that is another account's is refused.
Source: Amazon S3 API Reference, HeadBucket; Amazon S3 User Guide, "Verifying bucket ownership with bucket owner
condition".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.errors import ConfigError
from sm_remote.storage.s3_errors import code_of, explain_client_error, translated_errors

_REGIONLESS = "us-east-1"
"""Buckets of this region are made without naming it. Source: API_CreateBucket, LocationConstraint."""


class Standing(str, Enum):
    """How a bucket stands to the caller."""

    READY = "ready"
    MISSING = "missing"
    FOREIGN = "foreign"
    """Another account's, for certain."""
    CLOSED = "closed"
    """The caller's own, and may not be listed."""
    UNKNOWN = "unknown"
    """Another account's, or may not be listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """What is known of a bucket.

    Attributes:
        name: Of the bucket.
        standing: How it stands to the caller.
        region: Where it is; None where that was not said.
    """

    name: str
    standing: Standing
    region: str | None = None


def inspect_bucket(client: Any, name: str, *, owner: str | None = None) -> Bucket:
    """Looks at a bucket.

    Args:
        client: boto3's for S3.
        name: Of the bucket.
        owner: Whose it has to be, where the client does not say so itself.

    Raises:
        StorageError: S3 cannot be asked.
    """
    condition = {"ExpectedBucketOwner": owner} if owner else {}
    with translated_errors("found", f"s3://{name}"):
        try:
            answer = client.head_bucket(Bucket=name, **condition)
        except ClientError as error:
            return Bucket(name=name, standing=_judge_refusal(client, name, error))
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = answer.get("BucketRegion") or headers.get("x-amz-bucket-region")
    return Bucket(name=name, standing=Standing.READY, region=region)


def _judge_refusal(client: Any, name: str, error: ClientError) -> Standing:
    code = code_of(error)
    if code in ("404", "NoSuchBucket"):
        return Standing.MISSING
    if code not in ("403", "AccessDenied", "Forbidden"):
        raise explain_client_error(error, "found", f"s3://{name}") from error
    try:
        own = {bucket["Name"] for bucket in client.list_buckets().get("Buckets", ())}
    except (ClientError, BotoCoreError):
        return Standing.UNKNOWN
    return Standing.CLOSED if name in own else Standing.FOREIGN


def create_bucket(client: Any, name: str, *, region: str, kms_key: str | None = None) -> None:
    """Makes a bucket that is private and encrypted; it is the caller's afterwards, or there is an error.

    Args:
        client: boto3's for S3.
        name: Of the bucket.
        region: Where.
        kms_key: What encrypts its objects; None for S3's own key.

    Raises:
        ConfigError: Somebody else has a bucket of the name.
        StorageError: S3 refused.
    """
    place = {} if region == _REGIONLESS else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with translated_errors("made", f"s3://{name}"):
        try:
            client.create_bucket(Bucket=name, **place)
        except ClientError as error:
            if code_of(error) == "BucketAlreadyExists":
                raise refuse_foreign_bucket(name) from error
            if code_of(error) != "BucketAlreadyOwnedByYou":
                raise
        client.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        client.put_bucket_ownership_controls(
            Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        )
        client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_build_encryption(kms_key))


def _build_encryption(kms_key: str | None) -> dict[str, Any]:
    if kms_key is None:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    chosen = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": chosen, "BucketKeyEnabled": True}]}


def refuse_foreign_bucket(name: str) -> ConfigError:
    """The error for a bucket that is somebody else's."""
    return ConfigError(
        f"The bucket {name!r} belongs to another AWS account; nothing was sent.",
        why="Whoever owns it would get your code and data, and could change them. Names of buckets are the whole "
        "world's, and SageMaker's own (sagemaker-<region>-<account>) can be guessed and taken.",
        fix="Set s3_root_uri to a bucket of yours. Where the other account is meant on purpose, set bucket_owner.",
        bucket=name,
    )
