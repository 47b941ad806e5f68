"""`sm-remote iam` prints policies that the AWS CLI takes as they are; `create-bucket` makes what is missing alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sm_remote.cli.app import app
from sm_remote.settings import resolve_settings
from tests.fakes.aws import FakeAws, refuse
from tests.fakes.cli_world import build_world

ACCOUNT = "111122223333"
IDENTITY = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "Account": ACCOUNT, "UserId": "x"}
BUCKET = f"sagemaker-eu-west-1-{ACCOUNT}"
MADE: dict[str, Any] = {
    f"s3.{name}": {}
    for name in ("create_bucket", "put_public_access_block", "put_bucket_ownership_controls", "put_bucket_encryption")
}


def run(
    tmp_path: Path, *arguments: str, aws: FakeAws | None = None, region: str | None = "eu-west-1", **s: Any
) -> Result:
    asked = aws or FakeAws({"sts.get_caller_identity": IDENTITY})
    world = build_world(tmp_path, resolve=lambda: resolve_settings(s), aws=asked, region=region)
    return CliRunner().invoke(app, list(arguments), obj=world)


def statements(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return {each.get("Sid", ""): each for each in json.loads(result.stdout)["Statement"]}


def test_the_policies_of_an_account_without_settings(tmp_path: Path) -> None:
    caller = statements(run(tmp_path, "iam", "caller"))
    assert caller["Bucket"]["Resource"] == f"arn:aws:s3:::{BUCKET}"
    assert caller["Objects"]["Resource"] == f"arn:aws:s3:::{BUCKET}/sm_remote/*"
    assert caller["RolePassedToSagemaker"]["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/sm-remote-job"
    job = statements(run(tmp_path, "iam", "job"))
    assert f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/sm-remote" in job["Image"]["Resource"]
    assert "arn:aws:ecr:eu-west-1:763104351884:repository/*" in job["Image"]["Resource"]
    trust = statements(run(tmp_path, "iam", "trust"))[""]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_settings_and_options_limit_the_policies(tmp_path: Path) -> None:
    given = {
        "s3_root_uri": "s3://results/team",
        "role": "jobs",
        "s3_kms_key": "1234",
        "inputs": {"train": "s3://data/set-1/", "here": "/some/path"},
        "secrets": {"TOKEN": "secretsmanager:team/token#key", "OTHER": "env:OTHER"},
        "checkpoint_s3_uri": "s3://kept/run",
        "image_uri": f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/train:1",
    }
    caller = statements(run(tmp_path, "iam", "caller", "--with", "all", **given))
    assert caller["Objects"]["Resource"] == ["arn:aws:s3:::results/team/*", "arn:aws:s3:::kept/run/*"]
    assert "Secret" not in caller
    assert caller["RolePassedToSagemaker"]["Resource"].endswith(":role/jobs")
    assert caller["Keys"]["Resource"] == f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234"
    assert "ecr:PutImage" in caller["Repository"]["Action"]
    job = statements(run(tmp_path, "iam", "job", "--vpc", "--input", "s3://more", **given))
    assert job["InputObjects"]["Resource"] == ["arn:aws:s3:::more/*", "arn:aws:s3:::data/set-1*"]
    assert f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/train" in job["Image"]["Resource"]
    token = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:team/token-??????"
    assert job["Secret"]["Resource"] == token
    assert "ec2:CreateNetworkInterface" in job["Anything"]["Action"]
    other = statements(run(tmp_path, "iam", "caller", "--bucket", "other", "--role", "arn:aws:iam::1:role/r", **given))
    assert (other["Objects"]["Resource"][0], other["RolePassedToSagemaker"]["Resource"]) == (
        "arn:aws:s3:::other/*",
        "arn:aws:iam::1:role/r",
    )


def test_with_an_account_nothing_is_asked_of_aws(tmp_path: Path) -> None:
    aws = FakeAws()
    given = ("--account", "999999999999", "--region", "cn-north-1")
    job = statements(run(tmp_path, "iam", "job", *given, aws=aws))
    assert job["Bucket"]["Resource"] == "arn:aws-cn:s3:::sagemaker-cn-north-1-999999999999"
    assert aws.calls == []


def test_what_is_missing_for_a_policy_is_told(tmp_path: Path) -> None:
    refused = FakeAws({"sts.get_caller_identity": refuse("ExpiredToken")})
    assert "`iam` also takes --account" in run(tmp_path, "iam", "job", aws=refused).stderr
    assert "Add --region" in run(tmp_path, "iam", "job", region=None).stderr
    assert "is an alias" in run(tmp_path, "iam", "job", "--kms-key", "alias/mine").stderr


@pytest.mark.parametrize(("arguments", "name"), [((), BUCKET), (("mine",), "mine")])
def test_a_bucket_is_made_where_it_is_missing(tmp_path: Path, arguments: tuple[str, ...], name: str) -> None:
    heads = iter([refuse("404"), {"BucketRegion": "eu-west-1"}])
    aws = FakeAws({"sts.get_caller_identity": IDENTITY, "s3.head_bucket": lambda _: next(heads), **MADE})
    result = run(tmp_path, "create-bucket", *arguments, aws=aws)
    assert result.stdout == f"The bucket {name} was made in eu-west-1: private, encrypted, of the account {ACCOUNT}.\n"
    assert aws.asked("s3.head_bucket") == [{"Bucket": name, "ExpectedBucketOwner": ACCOUNT}] * 2


def test_a_bucket_that_exists_is_left_alone(tmp_path: Path) -> None:
    aws = FakeAws({"sts.get_caller_identity": IDENTITY, "s3.head_bucket": {"BucketRegion": "eu-west-1"}})
    result = run(tmp_path, "create-bucket", aws=aws)
    assert "exists already in eu-west-1; it is left as it is" in result.stdout
    assert aws.names() == ["sts.get_caller_identity", "s3.head_bucket"]


@pytest.mark.parametrize(
    ("listed", "told"),
    [({"Buckets": []}, "belongs to another AWS account"), (refuse("AccessDenied"), "cannot be seen")],
)
def test_a_bucket_of_somebody_else_is_refused(tmp_path: Path, listed: Any, told: str) -> None:
    answers = {"sts.get_caller_identity": IDENTITY, "s3.head_bucket": refuse("403"), "s3.list_buckets": listed}
    result = run(tmp_path, "create-bucket", aws=FakeAws(answers))
    assert result.exit_code == 1
    assert told in result.stderr
