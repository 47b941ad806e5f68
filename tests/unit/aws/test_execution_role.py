"""The role of a job is found where it runs, and only one that SageMaker may take on is proposed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sm_remote.aws.execution_role import (
    RoleUnknown,
    describe_role,
    find_own_role,
    list_candidates,
    parse_role_arn,
    trusts_sagemaker,
)
from sm_remote.aws.policies import build_trust_policy
from tests.fakes.aws import FakeAws, refuse

ACCOUNT = "111122223333"
TRUST = build_trust_policy(None)
OTHER_TRUST = {"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:*"}}


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def role(name: str, trust: Any = TRUST, path: str = "/") -> dict[str, Any]:
    return {"Arn": role_arn(path.lstrip("/") + name), "RoleName": name, "Path": path, "AssumeRolePolicyDocument": trust}


def identity(name: str) -> dict[str, str]:
    return {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/session", "Account": ACCOUNT, "UserId": "x"}


def find(aws: FakeAws, metadata: Path | None = None) -> str | None:
    return find_own_role(aws.client, ACCOUNT, metadata_file=metadata or Path("/nowhere"))


@pytest.mark.parametrize(
    ("trust", "trusts"),
    [
        (TRUST, True),
        (build_trust_policy(ACCOUNT), True),
        (build_trust_policy("999999999999"), False),
        (OTHER_TRUST, False),
        ({"Statement": [{**TRUST["Statement"][0], "Action": ["sts:TagSession", "sts:AssumeRole"]}]}, True),
        ({"Statement": [{**TRUST["Statement"][0], "Action": "sts:TagSession"}]}, False),
        ({"Statement": [TRUST["Statement"][0], {**TRUST["Statement"][0], "Effect": "Deny"}]}, False),
        ({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}, False),
        ({}, False),
    ],
)
def test_a_trust_policy_is_judged(trust: dict[str, Any], trusts: bool) -> None:
    assert trusts_sagemaker(trust, ACCOUNT) is trusts


def test_studio_says_its_role_itself(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps({"ResourceName": "default", "ExecutionRoleArn": role_arn("studio")}))
    aws = FakeAws()
    assert find(aws, file) == role_arn("studio")
    assert aws.calls == []


@pytest.mark.parametrize(
    ("metadata", "answers", "found"),
    [
        ({}, {"sagemaker.describe_notebook_instance": {"RoleArn": role_arn("instance")}}, "instance"),
        (
            {"DomainId": "d-1", "UserProfileName": "me"},
            {"sagemaker.describe_user_profile": {"UserSettings": {"ExecutionRole": role_arn("profile")}}},
            "profile",
        ),
        (
            {"DomainId": "d-1", "UserProfileName": "me"},
            {
                "sagemaker.describe_user_profile": {"UserSettings": {}},
                "sagemaker.describe_domain": {"DefaultUserSettings": {"ExecutionRole": role_arn("domain")}},
            },
            "domain",
        ),
    ],
)
def test_sagemaker_is_asked_for_the_role_of_the_environment(
    tmp_path: Path, metadata: dict[str, str], answers: dict[str, Any], found: str
) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps({"ResourceName": "notebook", **metadata}))
    assert find(FakeAws(answers), file) == role_arn(found)


def test_a_metadata_file_that_helps_nobody_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_text("{not json")
    aws = FakeAws({"sts.get_caller_identity": identity("jobs"), "iam.get_role": {"Role": role("jobs", path="/team/")}})
    assert find(aws, file) == role_arn("team/jobs")
    file.write_text(json.dumps({"ResourceName": "notebook"}))
    assert find(aws, file) == role_arn("team/jobs"), "the API refused, so the credentials' own role is next"


def test_credentials_of_a_role_that_sagemaker_may_not_take_on_are_none() -> None:
    answers = {"sts.get_caller_identity": identity("admin"), "iam.get_role": {"Role": role("admin", OTHER_TRUST)}}
    assert find(FakeAws(answers)) is None


@pytest.mark.parametrize("name", ["AWSReservedSSO_Admin_0123456789abcdef"])
def test_a_role_of_identity_center_is_none(name: str) -> None:
    aws = FakeAws({"sts.get_caller_identity": identity(name)})
    assert find(aws) is None
    assert "iam.get_role" not in aws.names()


def test_a_user_is_no_role() -> None:
    user = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/me"}
    assert find(FakeAws({"sts.get_caller_identity": user})) is None
    assert find(FakeAws()) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("jobs", "jobs"), ("AmazonSageMaker-ExecutionRole-2026", "service-role/AmazonSageMaker-ExecutionRole-2026")],
)
def test_a_role_that_cannot_be_looked_at_is_taken_as_the_sdk_takes_it(name: str, expected: str) -> None:
    assert find(FakeAws({"sts.get_caller_identity": identity(name)})) == role_arn(expected)


def test_candidates_are_those_that_sagemaker_may_take_on() -> None:
    pages = [
        {"Roles": [role("ec2", OTHER_TRUST), role("one")]},
        {"Roles": [role("linked", path="/aws-service-role/sagemaker.amazonaws.com/"), role("two")]},
        {"Roles": [role(f"more-{number}") for number in range(9)]},
    ]
    found = list_candidates(FakeAws({"iam.list_roles": pages}).client, ACCOUNT)
    assert found[:2] == [role_arn("one"), role_arn("two")]
    assert len(found) == 5
    assert list_candidates(FakeAws().client, ACCOUNT) == []


def test_what_iam_does_not_say_is_told_apart() -> None:
    for code, missing in (("NoSuchEntity", True), ("AccessDenied", False)):
        with pytest.raises(RoleUnknown) as caught:
            describe_role(FakeAws({"iam.get_role": refuse(code)}).client, "jobs")
        assert caught.value.missing is missing


def test_an_arn_is_taken_apart() -> None:
    parts = parse_role_arn(role_arn("a/b/jobs"))
    assert parts is not None
    assert (parts["account"], parts["path"], parts["name"]) == (ACCOUNT, "a/b/", "jobs")
    assert parse_role_arn(f"arn:aws:iam::{ACCOUNT}:user/me") is None
