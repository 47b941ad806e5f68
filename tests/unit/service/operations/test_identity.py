"""What is answered of STS and IAM: nobody is denied anything, and what is not served is said."""

from __future__ import annotations

import pytest

from sm_remote.service.api.errors import ApiError
from sm_remote.service.operations.identity import answer_query, find_query_service, render_query_refusal


def test_a_role_is_there_by_any_name_and_nothing_else_by_that_name() -> None:
    assert "<Arn>arn:aws:iam::000000000000:role/Training</Arn>" in answer_query(
        "iam", {"Action": "GetRole", "RoleName": "Training"}, "r"
    )
    with pytest.raises(ApiError, match="RoleName"):
        answer_query("iam", {"Action": "GetRole", "RoleName": "a<b>"}, "r")


def test_actions_come_back_as_text() -> None:
    form = {"Action": "SimulatePrincipalPolicy", "ActionNames.member.1": "s3:<b>", "PolicySourceArn": "<x>"}
    assert "<EvalActionName>s3:&lt;b&gt;</EvalActionName>" in answer_query("iam", form, "r")
    assert "<x>" not in answer_query("iam", form, "r")


@pytest.mark.parametrize(("service", "action"), [("iam", "CreateRole"), ("sts", "GetRole"), ("sts", "AssumeRole")])
def test_what_is_not_served_is_refused(service: str, action: str) -> None:
    with pytest.raises(ApiError) as caught:
        answer_query(service, {"Action": action}, "r")
    assert caught.value.code == "InvalidAction"
    assert f"<Code>{caught.value.code}</Code>" in render_query_refusal(service, caught.value, "r")


def test_the_signature_says_which_service_is_asked() -> None:
    scope = "AWS4-HMAC-SHA256 Credential=AK/20261121/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
    assert find_query_service(scope.format("iam")) == "iam"
    assert find_query_service(scope.format("sts")) == "sts"
