"""What boto3 raises is told as what it means for the caller."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from sm_remote.aws.refusals import is_unreachable, may_have_arrived, translate_error
from sm_remote.errors import (
    CredentialsExpired,
    JobNameInUse,
    JobNotFound,
    ServiceUnavailable,
    SubmitError,
    Throttled,
)


def refuse(code: str, text: str = "AWS's own words", status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DescribeTrainingJob")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refuse("ThrottlingException"), Throttled),
        (refuse("TooManyRequestsException", status=429), Throttled),
        (refuse("ExpiredTokenException"), CredentialsExpired),
        (refuse("ExpiredToken", status=403), CredentialsExpired),
        (exceptions.UnauthorizedSSOTokenError(), CredentialsExpired),
        (exceptions.SSOTokenLoadError(error_msg="none"), CredentialsExpired),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="none"), CredentialsExpired),
        (refuse("InternalFailure", status=500), ServiceUnavailable),
        (exceptions.NoCredentialsError(), ServiceUnavailable),
        (exceptions.EndpointConnectionError(endpoint_url="http://e"), ServiceUnavailable),
        (refuse("ValidationException", "Requested resource not found."), JobNotFound),
        (refuse("ResourceInUse"), JobNameInUse),
        (refuse("ResourceLimitExceeded"), SubmitError),
        (refuse("AccessDeniedException"), SubmitError),
    ],
)
def test_each_failure_has_its_error(error: Any, kind: type[Exception]) -> None:
    found = translate_error(error, "describe_training_job", {"TrainingJobName": "fit-1"}, advice="Look.")
    assert type(found) is kind
    assert found.why


def test_expired_credentials_say_how_to_come_back_to_the_job() -> None:
    found = translate_error(refuse("ExpiredToken"), "describe_training_job", {"TrainingJobName": "fit-1"})
    assert "aws sso login" in found.fix
    assert "sm_remote.attach('fit-1')" in found.fix
    assert "call again" in translate_error(refuse("ExpiredToken"), "list_training_jobs", {}).fix


@pytest.mark.parametrize(
    ("error", "arrived", "unreachable"),
    [
        (exceptions.ConnectionClosedError(endpoint_url="http://e"), True, False),
        (exceptions.ReadTimeoutError(endpoint_url="http://e"), True, False),
        (refuse("InternalFailure", status=503), True, False),
        (exceptions.EndpointConnectionError(endpoint_url="http://e"), False, True),
        (exceptions.ConnectTimeoutError(endpoint_url="http://e"), False, True),
        (refuse("ThrottlingException"), False, False),
        (exceptions.NoCredentialsError(), False, False),
    ],
)
def test_it_is_known_what_may_have_been_carried_out(error: Any, arrived: bool, unreachable: bool) -> None:
    assert (may_have_arrived(error), is_unreachable(error)) == (arrived, unreachable)


def test_credentials_that_are_not_there_are_told_with_how_to_get_some() -> None:
    absent = exceptions.NoCredentialsError()
    told = translate_error(absent, "describe_training_job", {"TrainingJobName": "fit-1"})
    assert told.what == "No AWS credentials were found here."
    assert "aws configure" in told.fix
