"""Policies allow what the table says on what the scope names, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sm_remote.aws.permissions import PARTS
from sm_remote.aws.policies import (
    Scope,
    build_caller_policy,
    build_execution_policy,
    build_trust_policy,
    find_partition,
)

ROLE = "arn:aws:iam::111122223333:role/jobs"
SCOPE = Scope(region="eu-west-1", account="111122223333", bucket="results", prefix="sm_remote", role_arn=ROLE)


def statements(policy):
    return {each["Sid"]: each for each in policy["Statement"]}


def test_a_caller_may_run_jobs_with_one_role_below_one_prefix() -> None:
    found = statements(build_caller_policy(SCOPE, []))
    assert found["TrainingJobs"]["Resource"] == "arn:aws:sagemaker:eu-west-1:111122223333:training-job/*"
    assert found["Objects"]["Resource"] == "arn:aws:s3:::results/sm_remote/*"
    assert found["Bucket"] == {
        "Sid": "Bucket",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": "arn:aws:s3:::results",
    }
    passing = found["RolePassedToSagemaker"]
    assert (passing["Action"], passing["Resource"]) == (["iam:PassRole"], ROLE)
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_nothing_but_reading_is_allowed_on_everything() -> None:
    everything = statements(build_caller_policy(SCOPE, PARTS))["Anything"]
    assert everything["Resource"] == "*"
    assert all(
        action.partition(":")[2].startswith(("Get", "List", "Describe", "Simulate")) for action in everything["Action"]
    )
    assert not any(
        "*" in action for each in build_caller_policy(SCOPE, PARTS)["Statement"] for action in each["Action"]
    )


def test_what_is_not_used_is_not_allowed() -> None:
    small, large = (json.dumps(build_caller_policy(SCOPE, parts)) for parts in ([], PARTS))
    assert "ecr:PutImage" not in small
    assert "ecr:PutImage" in large
    assert "kms:" not in large
    key = "arn:aws:kms:eu-west-1:111122223333:key/1"
    with_key = statements(build_caller_policy(replace(SCOPE, kms_keys=(key,)), []))
    assert with_key["Keys"]["Resource"] == key


def test_no_role_may_be_passed_where_none_is_named() -> None:
    assert "iam:PassRole" not in json.dumps(build_caller_policy(replace(SCOPE, role_arn=""), PARTS))


def test_a_job_writes_below_the_prefix_and_reads_its_inputs() -> None:
    scope = replace(SCOPE, inputs=("data", "more/set-1"))
    found = statements(build_execution_policy(scope))
    assert "s3:PutObject" in found["Objects"]["Action"]
    assert found["InputObjects"]["Action"] == ["s3:GetObject"]
    assert found["InputObjects"]["Resource"] == ["arn:aws:s3:::data/*", "arn:aws:s3:::more/set-1*"]
    assert found["InputBuckets"]["Resource"] == ["arn:aws:s3:::data", "arn:aws:s3:::more"]
    assert "InputObjects" not in statements(build_execution_policy(SCOPE))
    assert "ec2:" not in json.dumps(build_execution_policy(SCOPE))
    assert "ec2:CreateNetworkInterface" in json.dumps(build_execution_policy(SCOPE, vpc=True))


def test_checkpoints_elsewhere_are_read_and_written_there() -> None:
    found = statements(build_execution_policy(replace(SCOPE, checkpoints=("kept/run-1", "results/other"))))
    assert found["Bucket"]["Resource"] == ["arn:aws:s3:::results", "arn:aws:s3:::kept"]
    assert found["Objects"]["Resource"][1:] == ["arn:aws:s3:::kept/run-1/*", "arn:aws:s3:::results/other/*"]


def test_a_job_reads_the_secrets_that_are_named_and_no_others() -> None:
    secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-??????"
    found = statements(build_execution_policy(replace(SCOPE, secrets=(secret,))))
    assert found["Secret"]["Resource"] == secret
    assert "secretsmanager" not in json.dumps(build_execution_policy(SCOPE))


def test_only_sagemaker_for_one_account_takes_on_the_role() -> None:
    (statement,) = build_trust_policy("111122223333")["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert "Condition" not in build_trust_policy(None)["Statement"][0]


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_arns_are_of_the_regions_partition(region: str, partition: str) -> None:
    assert find_partition(region) == partition
    policy = build_caller_policy(replace(SCOPE, region=region, partition=partition), [])
    assert f"arn:{partition}:s3:::results" in json.dumps(policy)


def test_policies_fit_into_what_iam_takes() -> None:
    """Source: IAM and AWS STS quotas: 6,144 characters without whitespace for a managed policy."""
    for policy in (build_caller_policy(SCOPE, PARTS), build_execution_policy(SCOPE, vpc=True)):
        assert len(json.dumps(policy, separators=(",", ":"))) < 6144
        assert len({each["Sid"] for each in policy["Statement"]}) == len(policy["Statement"])
