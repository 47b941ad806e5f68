"""Amazon SageMaker is reached with the user's own credentials, or an error says what is missing."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from sm_remote.aws.session import connect_aws
from sm_remote.errors import ServiceUnavailable


def test_absent_credentials_are_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(ServiceUnavailable, match="Unable to locate credentials") as caught:
        _ = connect_aws("us-east-1").account
    assert "aws configure" in caught.value.fix


def test_a_session_that_is_given_has_its_own_credentials_and_region() -> None:
    given = boto3.Session(aws_access_key_id="given", aws_secret_access_key="x", region_name="eu-north-1")
    session = connect_aws(None, boto_session=given)
    assert session.region == "eu-north-1"
    for service in ("sagemaker", "s3"):
        client = session.client(service)
        assert client.meta.region_name == "eu-north-1"
        assert client._request_signer._credentials.access_key == "given"


def test_a_session_without_a_region_takes_the_one_that_is_set() -> None:
    given = boto3.Session(aws_access_key_id="given", aws_secret_access_key="x")
    given._session.set_config_variable("region", None)
    assert connect_aws("eu-west-3", boto_session=given).client("sagemaker").meta.region_name == "eu-west-3"
