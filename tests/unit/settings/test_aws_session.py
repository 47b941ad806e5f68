"""A session that is given decides credentials and region; nothing else that it says is passed over in silence."""

from __future__ import annotations

import boto3
import pytest

from sm_remote.errors import ConfigError
from sm_remote.settings import resolve_settings
from sm_remote.settings.schema import check_value, read_text

BOTO = boto3.Session("key", "secret", region_name="eu-north-1")


class SDKSession:
    """Has what the SageMaker SDK's Session has."""

    def __init__(self, **attributes):
        self.boto_session = BOTO
        self._default_bucket_name_override = None
        self.default_bucket_prefix = None
        vars(self).update(attributes)


@pytest.fixture
def resolve(tmp_path):
    def run(arguments, **environ):
        return resolve_settings(arguments, environ={"HOME": str(tmp_path), **environ}, cwd=tmp_path, notebook={})

    return run


@pytest.mark.parametrize("given", [BOTO, SDKSession()])
def test_boto3s_session_is_taken_out_of_the_sdks(given, resolve):
    settings = resolve({"sagemaker_session": given}, SM_REMOTE_REGION="us-east-1")
    assert settings.sagemaker_session is BOTO
    assert (settings.region, settings.origin("region")) == ("eu-north-1", "argument")
    assert resolve({"sagemaker_session": given, "region": "eu-north-1"}).region == "eu-north-1"


def test_another_region_beside_it_is_refused(resolve):
    with pytest.raises(ConfigError, match=r"region is 'us-east-1' .* for 'eu-north-1'"):
        resolve({"sagemaker_session": BOTO, "region": "us-east-1"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (SDKSession(local_mode=True), "target='local'"),
        (SDKSession(_default_bucket_name_override="mine"), "s3_root_uri='s3://mine'"),
        (SDKSession(default_bucket_prefix="team/a"), "s3_root_uri='s3://<bucket>/team/a'"),
        (boto3.Session, "type"),
        ("default", "str"),
    ],
)
def test_what_would_be_passed_over_is_refused(given, said):
    with pytest.raises(ConfigError) as caught:
        check_value("sagemaker_session", given, origin="argument")
    assert said in caught.value.why


def test_a_variable_cannot_hold_one():
    with pytest.raises(ConfigError, match="AWS_PROFILE"):
        read_text("sagemaker_session", "x", origin="SM_REMOTE_SAGEMAKER_SESSION")
