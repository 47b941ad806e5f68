"""Role and bucket are settled before anything is sent, and an error says exactly what to do."""

from __future__ import annotations

import shlex
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.aws.policies import build_trust_policy
from sm_remote.errors import ConfigError
from sm_remote.jobs.account import Account, default_bucket, spell_new_role
from tests.fakes.aws import FakeAws, refuse

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/jobs"
DESCRIBED = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": build_trust_policy(None)}}
USER = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/me"}
BUCKET = default_bucket("eu-west-1", ACCOUNT)


def account(aws: FakeAws, region: str = "eu-west-1") -> Account:
    session: Any = SimpleNamespace(client=aws.client, region=region, account=ACCOUNT)
    return Account(session)


def test_a_role_is_looked_for_once() -> None:
    aws = FakeAws({"iam.get_role": DESCRIBED})
    found = account(aws)
    assert [found.choose_role("jobs"), found.choose_role("jobs")] == [ROLE, ROLE]
    assert aws.asked("iam.get_role") == [{"RoleName": "jobs"}]


def test_an_arn_is_taken_as_it_is() -> None:
    aws = FakeAws()
    assert account(aws).choose_role(ROLE) == ROLE
    assert aws.calls == []


def test_a_role_of_another_account_is_refused() -> None:
    with pytest.raises(ConfigError, match="of the account 999999999999"):
        account(FakeAws()).choose_role("arn:aws:iam::999999999999:role/jobs")


def test_the_role_of_the_credentials_is_taken_where_none_is_set() -> None:
    assumed = {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/jobs/me"}
    aws = FakeAws({"sts.get_caller_identity": assumed, "iam.get_role": DESCRIBED})
    assert account(aws).choose_role(None) == ROLE


def test_without_a_role_those_of_the_account_are_proposed() -> None:
    listed = [{"Roles": [{"Arn": ROLE, "Path": "/team/", "AssumeRolePolicyDocument": build_trust_policy(None)}]}]
    aws = FakeAws({"sts.get_caller_identity": USER, "iam.list_roles": listed})
    with pytest.raises(ConfigError, match="No execution role is set") as caught:
        account(aws).choose_role(None)
    assert f"role='{ROLE}'" in caught.value.fix
    assert "aws iam create-role --role-name sm-remote-job" in caught.value.fix
    assert caught.value.facts["candidates"] == [ROLE]


def test_where_roles_cannot_be_listed_the_form_of_an_arn_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        account(FakeAws({"sts.get_caller_identity": USER}), region="cn-north-1").choose_role(None)
    assert f"role='arn:aws-cn:iam::{ACCOUNT}:role/<name>'" in caught.value.fix


@pytest.mark.parametrize(
    ("code", "told"), [("NoSuchEntity", "There is no role 'jobs'"), ("AccessDenied", "cannot be looked up")]
)
def test_a_name_that_cannot_be_looked_up_is_no_guess(code: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        account(FakeAws({"iam.get_role": refuse(code)})).choose_role("jobs")


def test_a_bucket_is_looked_at_once() -> None:
    aws = FakeAws({"s3.head_bucket": {"BucketRegion": "eu-west-1"}})
    found = account(aws)
    found.require_bucket(BUCKET)
    found.require_bucket(BUCKET)
    assert aws.names() == ["s3.head_bucket"]


def test_a_missing_bucket_is_not_made_unasked() -> None:
    aws = FakeAws({"s3.head_bucket": refuse("404")})
    with pytest.raises(ConfigError, match="does not exist") as caught:
        account(aws).require_bucket(BUCKET)
    assert f"sm-remote create-bucket {BUCKET}" in caught.value.fix
    assert aws.names() == ["s3.head_bucket"]


def test_a_squatted_bucket_is_refused() -> None:
    aws = FakeAws({"s3.head_bucket": refuse("403"), "s3.list_buckets": {"Buckets": [{"Name": "mine"}]}})
    with pytest.raises(ConfigError, match="belongs to another AWS account"):
        account(aws).require_bucket(BUCKET)


def test_a_bucket_of_another_region_is_refused() -> None:
    aws = FakeAws({"s3.head_bucket": {"BucketRegion": "us-east-1"}})
    with pytest.raises(ConfigError, match="is in us-east-1, and the job would run in eu-west-1"):
        account(aws).require_bucket(BUCKET)


def test_what_is_not_known_is_left_to_the_owner_that_each_request_names() -> None:
    account(FakeAws({"s3.head_bucket": refuse("403")})).require_bucket(BUCKET)


def test_a_role_s_name_is_one_word_of_the_shell() -> None:
    commands = spell_new_role("my role; rm -rf ~")
    words = [shlex.split(command) for command in commands.split(" && ")]
    assert [each[each.index("--role-name") + 1] for each in words] == ["my role; rm -rf ~"] * 2
