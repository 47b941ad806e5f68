"""IAM is asked for everything that a policy of ours allows, by the ARN by which it knows who asks."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.aws.permissions import PARTS
from sm_remote.aws.policies import Scope, build_caller_policy
from sm_remote.aws.simulation import Identity, NotSimulated, find_principal, list_denied, parse_identity
from tests.fakes.aws import FakeAws, refuse

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/admin"
POLICY = build_caller_policy(
    Scope(region="eu-west-1", account=ACCOUNT, bucket="results", role_arn=f"arn:aws:iam::{ACCOUNT}:role/jobs"), PARTS
)


def allow_all_but(*denied: str) -> Any:
    def answer(parameters: dict[str, Any]) -> dict[str, Any]:
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalResourceName": parameters["ResourceArns"][0],
                    "EvalDecision": "implicitDeny" if action in denied else "allowed",
                }
                for action in parameters["ActionNames"]
            ]
        }

    return answer


def who(rest: str, service: str = "iam") -> Identity:
    return parse_identity(f"arn:aws:{service}::{ACCOUNT}:{rest}", ACCOUNT)


@pytest.mark.parametrize(
    ("rest", "service", "kind", "name"),
    [
        ("user/team/me", "iam", "user", "me"),
        ("assumed-role/admin/session", "sts", "role", "admin"),
        ("root", "iam", "root", ""),
        ("federated-user/me", "sts", "other", ""),
    ],
)
def test_an_identity_is_read(rest: str, service: str, kind: str, name: str) -> None:
    assert (who(rest, service).kind, who(rest, service).name) == (kind, name)


def test_a_role_is_known_by_its_path() -> None:
    aws = FakeAws({"iam.get_role": {"Role": {"Arn": ROLE}}})
    assert find_principal(aws.client, who("assumed-role/admin/me", "sts")) == ROLE
    assert find_principal(aws.client, who("user/me")) == f"arn:aws:iam::{ACCOUNT}:user/me"
    for identity in (who("federated-user/me", "sts"), who("root")):
        with pytest.raises(NotSimulated):
            find_principal(aws.client, identity)


def test_every_action_of_the_policy_is_asked_for_under_its_condition() -> None:
    aws = FakeAws({"iam.simulate_principal_policy": allow_all_but("s3:PutObject")})
    assert list_denied(aws.client, ROLE, POLICY) == ["s3:PutObject on arn:aws:s3:::results/*"]
    asked = aws.asked("iam.simulate_principal_policy")
    assert len(asked) == len(POLICY["Statement"])
    (passing,) = [each for each in asked if each["ActionNames"] == ["iam:PassRole"]]
    assert passing["ContextEntries"] == [
        {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyValues": ["sagemaker.amazonaws.com"],
            "ContextKeyType": "string",
        }
    ]


def test_where_iam_does_not_say_nothing_is_claimed() -> None:
    with pytest.raises(NotSimulated):
        list_denied(FakeAws({"iam.simulate_principal_policy": refuse("AccessDenied")}).client, ROLE, POLICY)
