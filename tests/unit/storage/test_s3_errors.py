"""Whatever boto3 raises arrives as a StorageError that says what, why and what to do."""

import pytest
from boto3.exceptions import RetriesExceededError
from botocore import exceptions
from botocore.exceptions import ClientError

from sm_remote.errors import CorruptBlob, CredentialsExpired, StorageError
from sm_remote.storage.s3_errors import translated_errors

URI = "s3://bucket/root/key"


@pytest.mark.parametrize(
    ("code", "why", "fix"),
    [
        ("NoSuchBucket", "The bucket 'bucket' does not exist", "aws s3 mb s3://bucket"),
        ("NoSuchKey", "no such object", "deleted"),
        ("404", "no such object", "deleted"),
        ("AccessDenied", "Access was denied", "s3:ListBucket"),
        ("403", "Access was denied", "s3:GetObject"),
        ("InvalidAccessKeyId", "does not know these credentials", "get-caller-identity"),
        ("SignatureDoesNotMatch", "secret key", "get-caller-identity"),
        ("SlowDown", "slow down", "Wait"),
        ("503", "slow down", "Wait"),
        ("PermanentRedirect", "another region", "region"),
        ("RequestTimeTooSkewed", "clock", "clock"),
        ("NotImplemented", "conditional writes", "server"),
        ("SomethingNew", "S3 refused", "list of error responses"),
    ],
)
def test_each_answer_of_s3_is_explained(code, why, fix):
    answer = ClientError({"Error": {"Code": code, "Message": "S3's own words"}}, "PutObject")
    with pytest.raises(StorageError) as caught, translated_errors("written", URI):
        raise answer
    error = caught.value
    assert error.what == f"The object {URI} could not be written."
    assert why in error.why
    assert "S3's own words" in error.why
    assert fix in error.fix
    assert error.__cause__ is answer
    assert error.facts["code"] == code


@pytest.mark.parametrize(
    ("error", "why", "fix"),
    [
        (exceptions.NoCredentialsError(), "No AWS credentials", "aws configure"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="key"), "No AWS credentials", "aws configure"),
        (exceptions.EndpointConnectionError(endpoint_url="http://e"), "could not be reached", "network"),
        (exceptions.ConnectTimeoutError(endpoint_url="http://e"), "could not be reached", "network"),
        (exceptions.ReadTimeoutError(endpoint_url="http://e"), "could not be reached", "network"),
        (exceptions.ConnectionClosedError(endpoint_url="http://e"), "could not be reached", "network"),
        (exceptions.SSLError(endpoint_url="http://e", error="x"), "could not be reached", "network"),
        (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), "could not be reached", "network"),
        (RetriesExceededError(OSError("reset")), "could not be reached", "network"),
        (exceptions.NoRegionError(), "The call failed", "region"),
        (OSError(28, "No space left on device"), "The cache on this machine", "SM_REMOTE_HOME"),
    ],
)
def test_each_failure_without_an_answer_is_explained(error, why, fix):
    with pytest.raises(StorageError) as caught, translated_errors("read", URI):
        raise error
    assert not isinstance(caught.value, CorruptBlob)
    assert why in caught.value.why
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ExpiredToken", "Message": "m"}}, "PutObject"),
        exceptions.UnauthorizedSSOTokenError(),
        exceptions.SSOTokenLoadError(error_msg="none"),
    ],
)
def test_credentials_that_have_expired_are_told_as_that(error):
    with pytest.raises(CredentialsExpired, match="Training jobs go on") as caught, translated_errors("read", URI):
        raise error
    assert URI in caught.value.what
    assert "aws sso login" in caught.value.fix


@pytest.mark.parametrize(
    "error",
    [
        exceptions.FlexibleChecksumError(error_msg="differs"),
        ClientError({"Error": {"Code": "BadDigest", "Message": "m"}}, "PutObject"),
        ClientError({"Error": {"Code": "XAmzContentSHA256Mismatch", "Message": "m"}}, "PutObject"),
    ],
)
def test_bytes_that_changed_on_the_way_are_a_corrupt_blob(error):
    with pytest.raises(CorruptBlob, match="changed on the way"), translated_errors("read", URI):
        raise error
