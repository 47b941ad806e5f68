"""`sm-remote doctor --target sagemaker` names each thing that is missing, and the command that mends it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sm_remote.aws.policies import build_trust_policy
from sm_remote.cli.app import app
from sm_remote.settings import resolve_settings
from tests.fakes.aws import FakeAws, refuse
from tests.fakes.cli_world import build_world

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/jobs"
BUCKET = f"sagemaker-eu-west-1-{ACCOUNT}"


def simulate(*denied: str) -> Any:
    def answer(parameters: dict[str, Any]) -> dict[str, Any]:
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalDecision": "explicitDeny" if action in denied else "allowed"}
                for action in parameters["ActionNames"]
            ]
        }

    return answer


def quota(name: str, value: float) -> dict[str, Any]:
    return {"QuotaName": f"ml.m5.large for {name}", "QuotaCode": f"L-{value:g}", "Value": value}


WELL: dict[str, Any] = {
    "sts.get_caller_identity": {"Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "Account": ACCOUNT},
    "sagemaker.list_training_jobs": {"TrainingJobSummaries": []},
    "logs.describe_log_streams": {"logStreams": []},
    "iam.get_role": {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": build_trust_policy(ACCOUNT)}},
    "iam.simulate_principal_policy": simulate(),
    "s3.head_bucket": {"BucketRegion": "eu-west-1"},
    "ecr.batch_get_image": {"images": [{"imageManifest": "{}"}]},
    "service-quotas.list_service_quotas": [
        {
            "Quotas": [
                quota("training job usage", 4),
                quota("spot training job usage", 1),
                quota("training warm pool usage", 0),
            ]
        }
    ],
}
SETTINGS = {"role": "jobs", "instance_type": "ml.m5.large"}


def examine(tmp_path: Path, answers: dict[str, Any], **settings: Any) -> dict[str, dict[str, str]]:
    world = build_world(
        tmp_path, resolve=lambda: resolve_settings({**SETTINGS, **settings}), aws=FakeAws({**WELL, **answers})
    )
    result = CliRunner().invoke(app, ["doctor", "--target", "sagemaker", "--json"], obj=world)
    return {found["name"]: found for found in json.loads(result.stdout)}


def test_an_account_that_is_set_up_is_well(tmp_path: Path) -> None:
    found = examine(tmp_path, {})
    names = ("region", "credentials", "sagemaker", "logs", "role", "pass role", "permissions", "job's permissions")
    for name in (*names, "bucket", "image", "quotas"):
        assert found[name]["state"] == "ok", found[name]
    assert found["role"]["detail"] == f"{ROLE}; SageMaker may take it on"
    assert found["bucket"]["detail"] == f"{BUCKET} is there, and the account {ACCOUNT}'s"
    assert found["quotas"]["detail"].endswith("training job 4, spot training job 1, training warm pool 0")


@pytest.mark.parametrize(
    ("answers", "name", "detail", "fix"),
    [
        ({"sts.get_caller_identity": refuse("ExpiredToken")}, "credentials", "ExpiredToken", "aws sso login"),
        ({"sagemaker.list_training_jobs": refuse("AccessDenied")}, "sagemaker", "AccessDenied", "list-training-jobs"),
        ({"logs.describe_log_streams": refuse("AccessDenied")}, "logs", "logs:DescribeLogStreams", "sm-remote iam"),
        ({"iam.get_role": refuse("NoSuchEntity")}, "role", "there is no role jobs", "aws iam create-role --role-name"),
        (
            {"iam.get_role": {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": {}}}},
            "role",
            "does not let SageMaker",
            "aws iam update-assume-role-policy --role-name jobs",
        ),
        (
            {"iam.simulate_principal_policy": simulate("iam:PassRole")},
            "pass role",
            "missing: iam:PassRole",
            'aws iam put-user-policy --user-name me --policy-name sm-remote-caller --policy-document "$(',
        ),
        (
            {"iam.simulate_principal_policy": simulate("s3:PutObject")},
            "permissions",
            "missing: s3:PutObject",
            "put-user-policy",
        ),
        (
            {"iam.simulate_principal_policy": simulate("s3:PutObject")},
            "job's permissions",
            "missing: s3:PutObject",
            '--role-name jobs --policy-name sm-remote --policy-document "$(sm-remote iam job)"',
        ),
        ({"s3.head_bucket": refuse("404")}, "bucket", "does not exist", f"sm-remote create-bucket {BUCKET}"),
        (
            {"s3.head_bucket": refuse("403"), "s3.list_buckets": {"Buckets": []}},
            "bucket",
            "belongs to another account",
            "SM_REMOTE_S3_ROOT_URI",
        ),
        ({"s3.head_bucket": refuse("403")}, "bucket", "or s3:ListBucket is missing", "sm-remote iam caller"),
        ({"s3.head_bucket": {"BucketRegion": "us-east-1"}}, "bucket", "is in us-east-1", "AWS_DEFAULT_REGION"),
        ({"ecr.batch_get_image": {"images": []}}, "image", "is not there", "sm-remote image list --aws"),
        ({"ecr.batch_get_image": refuse("AccessDenied")}, "image", "ecr:BatchGetImage", "sm-remote iam caller"),
        (
            {"service-quotas.list_service_quotas": [{"Quotas": [quota("training job usage", 0)]}]},
            "quotas",
            "1 needed for training job usage, 0 allowed",
            "request-service-quota-increase --service-code sagemaker --quota-code L-0 --desired-value 1",
        ),
    ],
)
def test_what_is_missing_fails_with_the_command_for_it(
    tmp_path: Path, answers: dict[str, Any], name: str, detail: str, fix: str
) -> None:
    if name == "quotas":
        answers["service-quotas.list_aws_default_service_quotas"] = [{"Quotas": []}]
    found = examine(tmp_path, answers)[name]
    assert found["state"] == "failure"
    assert detail in found["detail"]
    assert fix in found["fix"]


@pytest.mark.parametrize(
    ("answers", "name", "detail"),
    [
        ({"iam.get_role": refuse("AccessDenied")}, "role", "iam:GetRole is missing"),
        ({"iam.simulate_principal_policy": refuse("AccessDenied")}, "permissions", "cannot be looked up"),
        ({"service-quotas.list_service_quotas": refuse("AccessDenied")}, "quotas", "servicequotas:ListServiceQuotas"),
    ],
)
def test_what_may_not_be_looked_at_is_a_warning(
    tmp_path: Path, answers: dict[str, Any], name: str, detail: str
) -> None:
    found = examine(tmp_path, answers)[name]
    assert found["state"] == "warning"
    assert detail in found["detail"]


def test_spot_and_warm_pools_need_quotas_of_their_own(tmp_path: Path) -> None:
    assert examine(tmp_path, {}, use_spot_instances=True, instance_count=2)["quotas"]["state"] == "failure"
    warm = examine(tmp_path, {}, keep_alive_period_in_seconds=60)["quotas"]
    assert "1 needed for training warm pool usage, 0 allowed" in warm["detail"]


def test_a_first_job_has_no_log_group_and_needs_none(tmp_path: Path) -> None:
    found = examine(tmp_path, {"logs.describe_log_streams": refuse("ResourceNotFoundException")})
    assert found["logs"]["state"] == "ok"


def test_without_a_role_those_that_fit_are_named(tmp_path: Path) -> None:
    listed = [{"Roles": [{"Arn": ROLE, "Path": "/", "AssumeRolePolicyDocument": build_trust_policy(None)}]}]
    found = examine(tmp_path, {"iam.list_roles": listed}, role=None)["role"]
    assert found["fix"] == f"export SM_REMOTE_ROLE={ROLE}"
    assert "aws iam create-role" in examine(tmp_path, {"iam.list_roles": [{"Roles": []}]}, role=None)["role"]["fix"]


def test_a_role_that_was_found_is_the_one_that_the_policy_passes(tmp_path: Path) -> None:
    assumed = {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/jobs/me", "Account": ACCOUNT}
    denied = {"sts.get_caller_identity": assumed, "iam.simulate_principal_policy": simulate("iam:PassRole")}
    found = examine(tmp_path, denied, role=None)
    assert "which this environment runs under" in found["role"]["detail"]
    assert found["pass role"]["fix"].endswith(f'"$(sm-remote iam caller --role {ROLE})"')


def test_an_image_elsewhere_cannot_be_used(tmp_path: Path) -> None:
    elsewhere = examine(tmp_path, {}, image_uri=f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/x:1")["image"]
    assert "is in us-east-1, jobs run in eu-west-1" in elsewhere["detail"]
    assert examine(tmp_path, {}, image_uri="python:3.11")["image"]["state"] == "warning"


def test_an_image_with_another_python_cannot_be_used(tmp_path: Path) -> None:
    other = "310" if sys.version_info[:2] != (3, 10) else "311"
    uri = f"763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.0.0-cpu-py{other}"
    found = examine(tmp_path, {}, image_uri=uri)["image"]
    assert f"has Python 3.{other[1:]}, this is" in found["detail"]
    assert "image_uri=" in found["fix"]


def test_root_needs_no_policy_and_identity_center_another_place(tmp_path: Path) -> None:
    root = {"Arn": f"arn:aws:iam::{ACCOUNT}:root", "Account": ACCOUNT}
    assert examine(tmp_path, {"sts.get_caller_identity": root})["permissions"]["state"] == "ok"
    sso = {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Team_1/me", "Account": ACCOUNT}
    denied = {"sts.get_caller_identity": sso, "iam.simulate_principal_policy": simulate("iam:PassRole")}
    assert "permission set" in examine(tmp_path, denied)["pass role"]["fix"]


def test_only_reading_is_done(tmp_path: Path) -> None:
    aws = FakeAws(WELL)
    world = build_world(tmp_path, resolve=lambda: resolve_settings(SETTINGS), aws=aws)
    CliRunner().invoke(app, ["doctor", "--target", "sagemaker"], obj=world)
    reading = ("get", "list", "describe", "head", "batch_get", "simulate")
    assert all(name.partition(".")[2].startswith(reading) for name in aws.names())


def test_a_region_that_nobody_knows_is_doubted_with_the_nearest(tmp_path: Path) -> None:
    world = build_world(tmp_path, resolve=lambda: resolve_settings(SETTINGS), aws=FakeAws(WELL), region="eu-wst-1")
    result = CliRunner().invoke(app, ["doctor", "--target", "sagemaker", "--json"], obj=world)
    found = {each["name"]: each for each in json.loads(result.stdout)}["region"]
    assert found["state"] == "warning"
    assert "AWS_DEFAULT_REGION=eu-west-1 " in found["fix"]
