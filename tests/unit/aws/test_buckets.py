"""A bucket is looked at before it is written to, and one that is somebody else's is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.aws.buckets import Standing, create_bucket, inspect_bucket
from sm_remote.errors import ConfigError, StorageError
from tests.fakes.aws import FakeAws, refuse

NAME = "sagemaker-eu-west-1-111122223333"
MINE = {"Buckets": [{"Name": NAME}]}
OTHERS: dict[str, Any] = {"Buckets": []}


@pytest.mark.parametrize(
    ("head", "listed", "standing"),
    [
        ({"BucketRegion": "eu-west-1"}, OTHERS, Standing.READY),
        (refuse("404"), OTHERS, Standing.MISSING),
        (refuse("403"), MINE, Standing.CLOSED),
        (refuse("403"), OTHERS, Standing.FOREIGN),
        (refuse("403"), refuse("AccessDenied"), Standing.UNKNOWN),
    ],
)
def test_how_a_bucket_stands(head: Any, listed: Any, standing: Standing) -> None:
    aws = FakeAws({"s3.head_bucket": head, "s3.list_buckets": listed})
    assert inspect_bucket(aws.client("s3"), NAME, owner="111122223333").standing is standing
    assert aws.asked("s3.head_bucket") == [{"Bucket": NAME, "ExpectedBucketOwner": "111122223333"}]


@pytest.mark.parametrize(
    "answer",
    [
        {"BucketRegion": "eu-west-1"},
        {"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}}},
    ],
)
def test_a_bucket_says_its_region(answer: dict[str, Any]) -> None:
    assert inspect_bucket(FakeAws({"s3.head_bucket": answer}).client("s3"), NAME).region == "eu-west-1"


def test_expired_credentials_are_no_bucket_that_is_missing() -> None:
    with pytest.raises(StorageError, match="could not be found"):
        inspect_bucket(FakeAws({"s3.head_bucket": refuse("ExpiredToken")}).client("s3"), NAME)


MADE = {
    f"s3.{name}": {}
    for name in (
        *("create_bucket", "put_public_access_block", "put_bucket_ownership_controls", "put_bucket_encryption"),
    )
}


def test_a_new_bucket_is_private_and_encrypted() -> None:
    aws = FakeAws(MADE)
    create_bucket(aws.client("s3"), NAME, region="eu-west-1", kms_key="arn:key")
    assert aws.names() == list(MADE)
    place = aws.asked("s3.create_bucket")[0]["CreateBucketConfiguration"]
    assert place == {"LocationConstraint": "eu-west-1"}
    blocked = aws.asked("s3.put_public_access_block")[0]["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4
    assert all(blocked.values())
    (rule,) = aws.asked("s3.put_bucket_encryption")[0]["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:key"}


def test_the_first_region_is_not_named() -> None:
    aws = FakeAws(MADE)
    create_bucket(aws.client("s3"), NAME, region="us-east-1")
    assert aws.asked("s3.create_bucket") == [{"Bucket": NAME}]
    (rule,) = aws.asked("s3.put_bucket_encryption")[0]["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_a_name_that_somebody_has_is_refused_and_nothing_is_set() -> None:
    aws = FakeAws({**MADE, "s3.create_bucket": refuse("BucketAlreadyExists")})
    with pytest.raises(ConfigError, match="belongs to another AWS account"):
        create_bucket(aws.client("s3"), NAME, region="eu-west-1")
    assert aws.names() == ["s3.create_bucket"]


def test_a_bucket_that_was_half_made_is_finished() -> None:
    aws = FakeAws({**MADE, "s3.create_bucket": refuse("BucketAlreadyOwnedByYou")})
    create_bucket(aws.client("s3"), NAME, region="eu-west-1")
    assert len(aws.names()) == 4
