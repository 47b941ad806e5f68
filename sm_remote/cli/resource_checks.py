"""What the doctor says of what a job uses in its account: bucket, image, and quotas of the instance types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.aws.buckets import Standing, inspect_bucket
from sm_remote.aws.ecr_uri import parse_ecr_uri
from sm_remote.aws.quotas import SPOT, TRAINING, WARM_POOL, Quota, read_quotas, spell_increase
from sm_remote.aws.registry import Registry
from sm_remote.cli.checks import Check, State
from sm_remote.cli.inert_text import make_inert
from sm_remote.errors import RemoteError

MakeClient = Callable[[str], Any]


def check_bucket(make_client: MakeClient, bucket: str, *, region: str, owner: str) -> Check:
    """Judges the bucket: that it is there, whose it is, and where.

    Args:
        make_client: Makes boto3's clients.
        bucket: Its name.
        region: Of the jobs.
        owner: The account that has to own it.
    """
    try:
        found = inspect_bucket(make_client("s3"), bucket, owner=owner)
    except RemoteError as error:
        return _fail("bucket", f"{bucket}: {error.why or error.what}", "aws sts get-caller-identity")
    if found.standing is Standing.MISSING:
        return _fail("bucket", f"{bucket} does not exist", f"sm-remote create-bucket {bucket} --region {region}")
    if found.standing is Standing.FOREIGN:
        detail = f"{bucket} belongs to another account than {owner}: nothing must be stored there"
        return _fail("bucket", detail, "export SM_REMOTE_S3_ROOT_URI=s3://<a bucket of yours>/sm_remote")
    if found.standing is Standing.CLOSED:
        return _fail("bucket", f"{bucket} is yours, but s3:ListBucket is missing", "sm-remote iam caller")
    if found.standing is Standing.UNKNOWN:
        detail = f"{bucket} is another account's, or s3:ListBucket is missing"
        return _fail("bucket", detail, "sm-remote iam caller --with doctor")
    if found.region not in (None, "", region):
        detail = f"{bucket} is in {found.region}, jobs run in {region}"
        return _fail("bucket", detail, f"export AWS_DEFAULT_REGION={found.region}")
    return Check(name="bucket", state=State.OK, detail=f"{bucket} is there, and the account {owner}'s")


def check_image(make_client: MakeClient, image_uri: str, *, region: str) -> Check:
    """Judges an image: that it is there, in the jobs' region, and may be pulled.

    Args:
        make_client: Makes boto3's clients.
        image_uri: Of the image.
        region: Of the jobs.
    """
    place = parse_ecr_uri(image_uri)
    if place is None:
        detail = f"{image_uri} is not in Amazon ECR; SageMaker pulls it only from a registry in your VPC"
        return Check(name="image", state=State.WARNING, detail=detail, fix="sm-remote image list --aws")
    if place.region != region:
        detail = f"{image_uri} is in {place.region}, jobs run in {region}"
        return _fail("image", detail, "sm-remote image list --aws")
    try:
        pullable = Registry(make_client("ecr"), place.account).is_pullable(place)
    except RemoteError as error:
        return _fail("image", f"{image_uri}: {error.what}", "sm-remote iam caller --with images")
    if not pullable:
        return _fail("image", f"{image_uri} is not there", "sm-remote image list --aws")
    return Check(name="image", state=State.OK, detail=f"{image_uri} is there and may be pulled")


def check_quotas(
    make_client: MakeClient,
    instance_types: Sequence[str],
    *,
    region: str,
    count: int,
    spot: bool,
    warm_pool: bool,
) -> list[Check]:
    """Judges how many instances the account may use, one check for each type.

    Args:
        make_client: Makes boto3's clients.
        instance_types: Those that the settings name.
        region: Of the jobs.
        count: How many instances a job has.
        spot: Whether jobs run on spot capacity.
        warm_pool: Whether machines are kept warm.
    """
    if not instance_types:
        detail = "no instance type is set, so none was looked up"
        return [Check(name="quotas", state=State.OK, detail=detail, fix="export SM_REMOTE_INSTANCE_TYPE=ml.m5.large")]
    checks = []
    for name in instance_types:
        try:
            found = read_quotas(make_client("service-quotas"), name)
        except (ClientError, BotoCoreError) as error:
            detail = f"{name}: cannot be looked up, servicequotas:ListServiceQuotas: {make_inert(str(error))[:200]}"
            checks.append(
                Check(name="quotas", state=State.WARNING, detail=detail, fix="sm-remote iam caller --with doctor")
            )
            continue
        wanted = {SPOT if spot else TRAINING: count, **({WARM_POOL: count} if warm_pool else {})}
        checks.append(judge_quotas(name, found, wanted, region))
    return checks


def judge_quotas(instance_type: str, found: Mapping[str, Quota], wanted: Mapping[str, int], region: str) -> Check:
    """Whether the quotas are enough for a job. Pure.

    Args:
        instance_type: As requests name it.
        found: Its quotas by kind.
        wanted: How many instances are needed, by kind.
        region: Of the jobs.
    """
    told = ", ".join(f"{kind.removesuffix(' usage')} {quota.value:g}" for kind, quota in found.items())
    for kind, count in wanted.items():
        quota = found.get(kind)
        if quota is None:
            detail = f"{instance_type}: AWS lists no quota for {kind} in {region}"
            return Check(name="quotas", state=State.WARNING, detail=detail, fix="sm-remote config")
        if quota.value < count:
            detail = f"{instance_type}: {count} needed for {kind}, {quota.value:g} allowed"
            return _fail("quotas", detail, spell_increase(quota, count, region))
    return Check(name="quotas", state=State.OK, detail=f"{instance_type}: {told}")


def _fail(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, state=State.FAILURE, detail=detail, fix=fix)
