"""The commands that set an account up: `sm-remote iam` and `sm-remote create-bucket`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sm_remote.aws.permissions import PARTS, RUN
from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.world import World
from sm_remote.errors import ConfigError

if TYPE_CHECKING:
    from sm_remote.settings import ResolvedSettings

_PARTS = (*(part for part in PARTS if part != RUN), "all")


@click.command()
@click.argument("policy", type=click.Choice(["caller", "job", "trust"]))
@click.option("--account", metavar="DIGITS", help="The account. Default: that of the AWS credentials.")
@click.option("--region", help="The region. Default: that of the settings or of the AWS configuration.")
@click.option("--bucket", help="Where results are stored, BUCKET or s3://BUCKET/PREFIX. Default: as the settings say.")
@click.option("--role", help="ARN or name of the jobs' role. Default: as the settings say, else sm-remote-job.")
@click.option("--kms-key", "kms_keys", multiple=True, help="ARN or id of a key that is used; may be repeated.")
@click.option("--input", "inputs", multiple=True, metavar="S3_URI", help="What jobs read elsewhere; may be repeated.")
@click.option("--vpc", is_flag=True, help="Jobs run in a VPC.")
@click.option(
    "--with",
    "parts",
    multiple=True,
    type=click.Choice(_PARTS),
    help="What the caller does beside running jobs; may be repeated.",
)
@click.pass_obj
def iam(
    world: World,
    policy: str,
    account: str | None,
    region: str | None,
    bucket: str | None,
    role: str | None,
    kms_keys: tuple[str, ...],
    inputs: tuple[str, ...],
    vpc: bool,
    parts: tuple[str, ...],
) -> None:
    """Print the least policy as JSON: for who submits (caller), for jobs (job), or who may be a job (trust).

    It allows what this program's code asks of AWS and no more, on the resources of the settings and the options. Ready
    for the AWS CLI:

    aws iam put-role-policy --role-name NAME --policy-name sm-remote --policy-document "$(sm-remote iam job)"
    """
    from sm_remote.aws.policies import build_caller_policy, build_execution_policy, build_trust_policy
    from sm_remote.cli.policy_scope import build_scope

    settings = world.resolve()
    where, owner = find_place(world, settings, region, account)
    if policy == "trust":
        sys.stdout.write(render_json(build_trust_policy(owner)))
        return
    scope = build_scope(
        settings, region=where, account=owner, bucket=bucket, role=role, kms_keys=kms_keys, inputs=inputs
    )
    if policy == "caller":
        document = build_caller_policy(scope, PARTS if "all" in parts else parts)
    else:
        document = build_execution_policy(scope, vpc=vpc or bool(settings.subnets))
    sys.stdout.write(render_json(document))


@click.command("create-bucket")
@click.argument("name", required=False)
@click.option("--region", help="Where. Default: the region of the settings or of the AWS configuration.")
@click.option("--kms-key", help="Encrypts what is stored. Default: the setting s3_kms_key, else S3's own key.")
@click.pass_obj
def create_bucket(world: World, name: str | None, region: str | None, kms_key: str | None) -> None:
    """Make the bucket in which functions, data and results are stored: private and encrypted.

    NAME is by default SageMaker's own of the account and region, sagemaker-REGION-ACCOUNT. One that exists is left as
    it is; one that belongs to another account is refused.
    """
    from sm_remote.aws import buckets
    from sm_remote.jobs.account import default_bucket

    settings = world.resolve()
    where, owner = find_place(world, settings, region, None)
    bucket = name or default_bucket(where, owner)
    _, make_client = world.connect_briefly(where)
    client = make_client("s3")
    found = buckets.inspect_bucket(client, bucket, owner=owner)
    if found.standing is buckets.Standing.FOREIGN:
        raise buckets.refuse_foreign_bucket(bucket)
    if found.standing is buckets.Standing.MISSING:
        buckets.create_bucket(client, bucket, region=where, kms_key=kms_key or settings.s3_kms_key)
        found = buckets.inspect_bucket(client, bucket, owner=owner)
        told = f"The bucket {bucket} was made in {where}: private, encrypted, of the account {owner}."
    else:
        told = (
            f"The bucket {bucket} exists already{f' in {found.region}' if found.region else ''}; it is left as it is."
        )
    if found.standing is not buckets.Standing.READY:
        raise ConfigError(
            f"The bucket {bucket} is there, and whose it is cannot be seen.",
            why="Your identity may not list it (s3:ListBucket).",
            fix="`sm-remote iam caller` prints the policy that allows it.",
        )
    sys.stdout.write(make_inert(told) + "\n")


def find_place(world: World, settings: ResolvedSettings, region: str | None, account: str | None) -> tuple[str, str]:
    """Region and account of a command: as it was told, else by settings, configuration and credentials.

    Raises:
        ConfigError: Nothing tells one of them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        where, make_client = world.connect_briefly(region or settings.region)
        if where is None:
            raise ConfigError(
                "No AWS region is set.", fix="Add --region, or set AWS_DEFAULT_REGION, such as us-east-1."
            )
        return where, account or make_client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise ConfigError(
            "AWS does not say which account this is.",
            why=str(error),
            fix="Set the credentials up: `aws configure`, `aws sso login`, or AWS_PROFILE; `iam` also takes --account.",
        ) from error
