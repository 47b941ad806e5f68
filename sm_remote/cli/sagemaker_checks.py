"""What the doctor says of the target sagemaker at first: region, credentials, API."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sm_remote.cli.checks import Check, State
from sm_remote.cli.inert_text import make_inert

if TYPE_CHECKING:
    from sm_remote.aws.simulation import Identity

MakeClient = Callable[[str], Any]


def check_region(region: str | None) -> Check:
    """Judges the AWS region, which has no default."""
    if region is None:
        return _fail("region", "none is set", "export AWS_DEFAULT_REGION=us-east-1  # or the one you use")
    known = _list_regions()
    if region not in known:
        near = (difflib.get_close_matches(region, known, 1) or ["us-east-1"])[0]
        detail = f"{make_inert(region)}, in which this version of boto3 knows no SageMaker"
        fix = f"export AWS_DEFAULT_REGION={near}  # or: python -m pip install --upgrade boto3"
        return Check(name="region", state=State.WARNING, detail=detail, fix=fix)
    return Check(name="region", state=State.OK, detail=region)


def _list_regions() -> list[str]:
    """The regions with SageMaker, by the table that botocore ships; nobody is asked."""
    from botocore.session import get_session

    session = get_session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sagemaker", partition)
    ]


def check_profile(error: Exception) -> Check:
    """Judges an AWS configuration that cannot be used at all, such as a profile that does not exist."""
    return _fail("profile", _shorten(error), "aws configure list-profiles")


def check_credentials(make_client: MakeClient) -> tuple[Check, Identity | None]:
    """Asks AWS who we are."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    from sm_remote.aws.simulation import parse_identity

    try:
        identity = make_client("sts").get_caller_identity()
    except NoCredentialsError:
        return _fail("credentials", "none were found", "aws configure"), None
    except ClientError as error:
        expired = "Expired" in error.response["Error"].get("Code", "")
        return _fail("credentials", _shorten(error), "aws sso login" if expired else "aws configure"), None
    except BotoCoreError as error:
        return _fail("credentials", _shorten(error), "aws configure list"), None
    found = Check(name="credentials", state=State.OK, detail=make_inert(identity["Arn"]))
    return found, parse_identity(identity["Arn"], identity["Account"])


def check_api(make_client: MakeClient) -> Check:
    """Asks SageMaker for one training job, which needs a permission and changes nothing."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        make_client("sagemaker").list_training_jobs(MaxResults=1)
    except (ClientError, BotoCoreError) as error:
        return _fail("sagemaker", _shorten(error), "aws sagemaker list-training-jobs --max-results 1")
    return Check(name="sagemaker", state=State.OK, detail="answers; training jobs can be listed")


def _fail(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, state=State.FAILURE, detail=detail, fix=fix)


def _shorten(error: Exception) -> str:
    return make_inert(str(error))[:300]
