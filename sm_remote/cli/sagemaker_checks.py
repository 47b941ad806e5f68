"""What the doctor says of the target sagemaker: region, credentials, API, role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sm_remote.cli.checks import Check, State
from sm_remote.cli.inert import make_inert

MakeClient = Callable[[str], Any]


def check_region(region: str | None) -> Check:
    """Judges the AWS region, which has no default."""
    if region is None:
        return _fail("region", "none is set", "export AWS_DEFAULT_REGION=us-east-1  # or the one you use")
    return Check(name="region", state=State.OK, detail=region)


def check_profile(error: Exception) -> Check:
    """Judges an AWS configuration that cannot be used at all, such as a profile that does not exist."""
    return _fail("profile", _shorten(error), "aws configure list-profiles")


def check_credentials(make_client: MakeClient) -> Check:
    """Asks AWS who we are."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        identity = make_client("sts").get_caller_identity()
    except NoCredentialsError:
        return _fail("credentials", "none were found", "aws configure")
    except ClientError as error:
        expired = "Expired" in error.response["Error"].get("Code", "")
        return _fail("credentials", _shorten(error), "aws sso login" if expired else "aws configure")
    except BotoCoreError as error:
        return _fail("credentials", _shorten(error), "aws configure list")
    return Check(name="credentials", state=State.OK, detail=make_inert(identity["Arn"]))


def check_api(make_client: MakeClient) -> Check:
    """Asks SageMaker for one training job, which needs a permission and changes nothing."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        make_client("sagemaker").list_training_jobs(MaxResults=1)
    except (ClientError, BotoCoreError) as error:
        return _fail("sagemaker", _shorten(error), "aws sagemaker list-training-jobs --max-results 1")
    return Check(name="sagemaker", state=State.OK, detail="answers; training jobs can be listed")


def check_role(role: str | None) -> Check:
    """Judges the execution role, which has no default."""
    if not role:
        return _fail("role", "no execution role is set", "export SM_REMOTE_ROLE=arn:aws:iam::<account>:role/<name>")
    return Check(name="role", state=State.OK, detail=role)


def _fail(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, state=State.FAILURE, detail=detail, fix=fix)


def _shorten(error: Exception) -> str:
    return make_inert(str(error))[:300]


def connect_briefly(region: str | None) -> tuple[str | None, MakeClient]:
    """The region, and clients that give up after seconds: a doctor does not wait as a job would."""
    import boto3
    from botocore.config import Config

    session = boto3.session.Session(region_name=region)
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    return session.region_name, lambda service: session.client(service, config=config)
