"""The execution role of jobs in IAM: found in the running environment, by its name, or among the account's.

Source: IAM API Reference, GetRole, ListRoles; SageMaker Developer Guide, "How to use SageMaker AI execution roles"; the
SageMaker SDK's `get_execution_role`, whose order of places this follows.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.aws.policies import PRINCIPAL

logger = logging.getLogger("sm_remote")

MakeClient = Callable[[str], Any]

METADATA_FILE = Path("/opt/ml/metadata/resource-metadata.json")
"""What SageMaker Studio and notebook instances say of themselves.

Source: SageMaker Developer Guide, "Get notebook instance metadata"."""
_ASSUMED = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<name>[^/]+)/.*")
_ROLE = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d{12}):role/(?P<path>(?:[^/]+/)*)(?P<name>[^/]+)")
_RESERVED = "AWSReservedSSO_"
"""Roles of IAM Identity Center: nobody can have SageMaker take them on."""
_USUAL = "AmazonSageMaker-ExecutionRole"
"""What the console calls the roles that it makes, below the path ``service-role``."""
_MOST_ROLES = 3000
_MOST_CANDIDATES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A role as IAM describes it.

    Attributes:
        arn: With its path.
        trust: Its trust policy.
    """

    arn: str
    trust: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Without its path."""
        return self.arn.rpartition("/")[2]


class RoleUnknown(Exception):
    """IAM does not say what a role is: it is not there, or the caller may not ask.

    Attributes:
        missing: Whether it is not there.
    """

    def __init__(self, text: str, *, missing: bool) -> None:
        super().__init__(text)
        self.missing = missing


def parse_role_arn(arn: str) -> Mapping[str, str] | None:
    """``partition``, ``account``, ``path`` and ``name`` of a role's ARN; None where it is none."""
    match = _ROLE.fullmatch(arn)
    return match.groupdict() if match else None


def trusts_sagemaker(trust: Mapping[str, Any], account: str | None) -> bool:
    """Whether a trust policy lets SageMaker take on the role. Pure.

    Of conditions only ``aws:SourceAccount`` is judged.

    Args:
        trust: The policy.
        account: On whose behalf; None where it is not known.
    """
    statements = [one for one in _list(trust.get("Statement")) if _names_sagemaker(one)]
    return any(
        one.get("Effect") == "Allow" and _allows_account(one.get("Condition") or {}, account) for one in statements
    ) and not any(one.get("Effect") == "Deny" for one in statements)


def _names_sagemaker(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = _list(principal.get("Service")) if isinstance(principal, Mapping) else []
    actions = _list(statement.get("Action"))
    return PRINCIPAL in services and bool({"sts:AssumeRole", "sts:*", "*"} & set(actions))


def _allows_account(condition: Mapping[str, Any], account: str | None) -> bool:
    for operator in ("StringEquals", "StringLike"):
        wanted = _list((condition.get(operator) or {}).get("aws:SourceAccount"))
        if wanted and account is not None and account not in wanted and "*" not in wanted:
            return False
    return True


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def describe_role(make_client: MakeClient, name: str) -> Role:
    """A role by its name.

    Raises:
        RoleUnknown: IAM does not say.
    """
    try:
        found = make_client("iam").get_role(RoleName=name)["Role"]
    except ClientError as error:
        missing = error.response["Error"].get("Code") == "NoSuchEntity"
        raise RoleUnknown(str(error), missing=missing) from error
    except BotoCoreError as error:
        raise RoleUnknown(str(error), missing=False) from error
    trust = found.get("AssumeRolePolicyDocument") or {}
    return Role(arn=found["Arn"], trust=json.loads(trust) if isinstance(trust, str) else trust)


def list_candidates(make_client: MakeClient, account: str | None) -> list[str]:
    """The ARNs of a few roles that SageMaker may take on; empty where there is none, or the caller may not look."""
    try:
        pages = make_client("iam").get_paginator("list_roles").paginate(PaginationConfig={"MaxItems": _MOST_ROLES})
        trusted = (
            role["Arn"]
            for page in pages
            for role in page["Roles"]
            if trusts_sagemaker(role.get("AssumeRolePolicyDocument") or {}, account)
            and not role.get("Path", "/").startswith("/aws-service-role/")
        )
        return list(islice(trusted, _MOST_CANDIDATES))
    except (ClientError, BotoCoreError) as error:
        logger.debug("Roles cannot be listed: %s", error)
        return []


def find_own_role(make_client: MakeClient, account: str | None, *, metadata_file: Path = METADATA_FILE) -> str | None:
    """The role under which this process runs, where it can be a job's too; None where there is none.

    In SageMaker Studio and on notebook instances it is the one that these were given; elsewhere the role that the
    credentials were got by. One that SageMaker may not take on is none; where the trust policy cannot be read, the role
    is taken as it is, as the SageMaker SDK does.

    Args:
        make_client: Makes boto3's clients.
        account: The caller's.
        metadata_file: What the environment says of itself.
    """
    given = _read_environment(make_client, metadata_file)
    if given:
        return given
    try:
        identity = make_client("sts").get_caller_identity()["Arn"]
    except (ClientError, BotoCoreError) as error:
        logger.debug("The caller's identity is not known: %s", error)
        return None
    assumed = _ASSUMED.fullmatch(identity)
    if assumed is None or assumed["name"].startswith(_RESERVED):
        return None
    try:
        role = describe_role(make_client, assumed["name"])
    except RoleUnknown as error:
        logger.debug("The role %s cannot be looked at: %s", assumed["name"], error)
        path = "service-role/" if assumed["name"].startswith(_USUAL) else ""
        return f"arn:{assumed['partition']}:iam::{assumed['account']}:role/{path}{assumed['name']}"
    return role.arn if trusts_sagemaker(role.trust, account) else None


def _read_environment(make_client: MakeClient, metadata_file: Path) -> str | None:
    """The execution role of Studio or of a notebook instance."""
    try:
        found = json.loads(metadata_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if found.get("ExecutionRoleArn"):
        return str(found["ExecutionRoleArn"])
    try:
        return _ask_sagemaker(make_client("sagemaker"), found)
    except (ClientError, BotoCoreError, KeyError) as error:
        logger.debug("What SageMaker says of this environment is not known: %s", error)
        return None


def _ask_sagemaker(client: Any, found: Mapping[str, Any]) -> str | None:
    domain = found.get("DomainId")
    if domain is None:
        role: str = client.describe_notebook_instance(NotebookInstanceName=found["ResourceName"])["RoleArn"]
        return role
    settings: Mapping[str, Any] = {}
    if found.get("UserProfileName"):
        profile = client.describe_user_profile(DomainId=domain, UserProfileName=found["UserProfileName"])
        settings = profile.get("UserSettings") or {}
    if settings.get("ExecutionRole"):
        return str(settings["ExecutionRole"])
    defaults = client.describe_domain(DomainId=domain).get("DefaultUserSettings") or {}
    return defaults.get("ExecutionRole")
