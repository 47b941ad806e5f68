"""What an identity may do, by IAM's own simulation of its policies: whatever a policy of ours allows is asked for.

Policies of the organisation and of buckets are not a part of it. Source: IAM API Reference, SimulatePrincipalPolicy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.aws.execution_role import MakeClient, RoleUnknown, describe_role

_ARN = re.compile(r"arn:[\w-]+:(?P<service>iam|sts)::(?P<account>\d{12}):(?P<rest>.+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who makes requests.

    Attributes:
        arn: As STS names it.
        account: The account.
        kind: ``user``, ``role``, ``root`` or ``other``.
        name: Of the user or the role.
    """

    arn: str
    account: str
    kind: str
    name: str


class NotSimulated(Exception):
    """IAM does not say what an identity may do."""


def parse_identity(arn: str, account: str) -> Identity:
    """Who an ARN of STS's GetCallerIdentity is. Pure."""
    match = _ARN.fullmatch(arn)
    rest = match["rest"] if match else ""
    kind, name = "other", ""
    if rest == "root":
        kind = "root"
    elif rest.startswith("user/"):
        kind, name = "user", rest.rpartition("/")[2]
    elif rest.startswith("assumed-role/"):
        kind, name = "role", rest.split("/")[1]
    return Identity(arn=arn, account=account, kind=kind, name=name)


def find_principal(make_client: MakeClient, identity: Identity) -> str:
    """The ARN by which IAM knows the identity: a role's own, where somebody has taken it on.

    Raises:
        NotSimulated: IAM does not know it, or does not say.
    """
    if identity.kind == "user":
        return identity.arn
    if identity.kind != "role":
        raise NotSimulated(f"{identity.arn} is no user and no role")
    try:
        return describe_role(make_client, identity.name).arn
    except RoleUnknown as error:
        raise NotSimulated(str(error)) from error


def list_denied(make_client: MakeClient, principal: str, policy: Mapping[str, Any]) -> list[str]:
    """What of a policy an identity may not do, each as ``action on resource``.

    Args:
        make_client: Makes boto3's clients.
        principal: The ARN of a user or a role.
        policy: As `policies` builds it.

    Raises:
        NotSimulated: IAM does not say.
    """
    try:
        return [denied for each in policy["Statement"] for denied in _simulate(make_client, principal, each)]
    except (ClientError, BotoCoreError) as error:
        raise NotSimulated(str(error)) from error


def _simulate(make_client: MakeClient, principal: str, statement: Mapping[str, Any]) -> Iterator[str]:
    resource = statement["Resource"]
    pages = (
        make_client("iam")
        .get_paginator("simulate_principal_policy")
        .paginate(
            PolicySourceArn=principal,
            ActionNames=list(statement["Action"]),
            ResourceArns=[resource] if isinstance(resource, str) else list(resource),
            ContextEntries=build_context(statement.get("Condition") or {}),
        )
    )
    for page in pages:
        for result in page["EvaluationResults"]:
            if result["EvalDecision"] != "allowed":
                yield f"{result['EvalActionName']} on {result.get('EvalResourceName', '*')}"


def build_context(condition: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Values under which a condition holds. Pure."""
    return [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for values in condition.values()
        for key, value in values.items()
    ]
