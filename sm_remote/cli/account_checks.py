"""What the doctor says of identity, execution role and permissions: what is missing by name, and the command for it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.aws.execution_role import (
    Role,
    RoleUnknown,
    describe_role,
    find_own_role,
    list_candidates,
    parse_role_arn,
    trusts_sagemaker,
)
from sm_remote.aws.simulation import Identity, NotSimulated, find_principal, list_denied
from sm_remote.cli.checks import Check, State
from sm_remote.cli.inert_text import make_inert
from sm_remote.jobs.account import spell_new_role

MakeClient = Callable[[str], Any]

_MOST_NAMED = 6


def check_role(make_client: MakeClient, role: str | None, identity: Identity) -> tuple[Check, Role | None]:
    """Judges the execution role: that there is one, and that SageMaker may take it on.

    Args:
        make_client: Makes boto3's clients.
        role: ARN or name, as the settings say; None for that of the running environment.
        identity: Who asks.
    """
    wanted = role or find_own_role(make_client, identity.account)
    if wanted is None:
        candidates = list_candidates(make_client, identity.account)
        if candidates:
            detail = f"none is set; SageMaker may take on {', '.join(candidates)}"
            return _fail("role", detail, f"export SM_REMOTE_ROLE={shlex.quote(candidates[0])}"), None
        return _fail("role", "no execution role is set", spell_new_role()), None
    parts = parse_role_arn(wanted) if wanted.startswith("arn:") else {"account": identity.account}
    if parts is None or parts["account"] != identity.account:
        detail = f"{wanted} is no role of the account {identity.account}"
        return _fail("role", detail, "export SM_REMOTE_ROLE=<the ARN of a role of this account>"), None
    name = wanted.rpartition("/")[2]
    try:
        found = describe_role(make_client, name)
    except RoleUnknown as error:
        if error.missing:
            return _fail("role", f"there is no role {name} in this account", spell_new_role(name)), None
        detail = f"{wanted}; whether SageMaker may take it on cannot be seen: iam:GetRole is missing"
        return Check(name="role", state=State.WARNING, detail=detail, fix="sm-remote iam caller --with doctor"), None
    if not trusts_sagemaker(found.trust, identity.account):
        fix = (
            f"aws iam update-assume-role-policy --role-name {shlex.quote(name)} --policy-document "
            '"$(sm-remote iam trust)"'
        )
        return _fail("role", f"{found.arn}: its trust policy does not let SageMaker take it on", fix), found
    where = "" if role else ", which this environment runs under"
    return Check(name="role", state=State.OK, detail=f"{found.arn}{where}; SageMaker may take it on"), found


def check_caller(
    make_client: MakeClient, identity: Identity, policy: Mapping[str, Any], *, role: str = ""
) -> list[Check]:
    """Judges what the caller may do: that the role may be passed, and all that running jobs takes.

    Args:
        make_client: Makes boto3's clients.
        identity: Who submits.
        policy: The least that the caller needs.
        role: The ARN of the jobs' role, where the settings do not say it.
    """
    if identity.kind == "root":
        return [Check(name="permissions", state=State.OK, detail="the account's root user may do everything")]
    try:
        denied = list_denied(make_client, find_principal(make_client, identity), policy)
    except NotSimulated as error:
        return [_untold("permissions", error)]
    passing = [one for one in denied if one.startswith("iam:PassRole ")]
    others = [one for one in denied if not one.startswith("iam:PassRole ")]
    fix = _spell_grant(identity, f"sm-remote iam caller --role {role}" if role else "sm-remote iam caller")
    return [
        _judge("pass role", passing, "the role may be passed to SageMaker", fix),
        _judge("permissions", others, "all that running jobs takes is allowed", fix),
    ]


def check_job(make_client: MakeClient, role: Role, policy: Mapping[str, Any]) -> Check:
    """Judges what jobs may do under their role.

    Args:
        make_client: Makes boto3's clients.
        role: The execution role.
        policy: The least that it needs.
    """
    try:
        denied = list_denied(make_client, role.arn, policy)
    except NotSimulated as error:
        return _untold("job's permissions", error)
    fix = (
        f"aws iam put-role-policy --role-name {shlex.quote(role.name)} --policy-name sm-remote --policy-document "
        '"$(sm-remote iam job)"'
    )
    return _judge("job's permissions", denied, "the role may do all that a job needs", fix)


def _judge(name: str, denied: list[str], good: str, fix: str) -> Check:
    if not denied:
        return Check(name=name, state=State.OK, detail=good)
    more = f" and {len(denied) - _MOST_NAMED} more" if len(denied) > _MOST_NAMED else ""
    return _fail(name, f"missing: {', '.join(denied[:_MOST_NAMED])}{more}", fix)


def _untold(name: str, error: NotSimulated) -> Check:
    return Check(
        name=name,
        state=State.WARNING,
        detail=f"cannot be looked up: {_shorten(error)}",
        fix="sm-remote iam caller --with doctor  # lists what is needed, to compare by hand",
    )


def _spell_grant(identity: Identity, policy: str) -> str:
    if identity.name.startswith("AWSReservedSSO_"):
        return f"{policy}  # add it to your permission set in IAM Identity Center"
    kind = "user" if identity.kind == "user" else "role"
    return (
        f"aws iam put-{kind}-policy --{kind}-name {shlex.quote(identity.name)} --policy-name sm-remote-caller "
        f'--policy-document "$({policy})"'
    )


def _fail(name: str, detail: str, fix: str) -> Check:
    return Check(name=name, state=State.FAILURE, detail=detail, fix=fix)


def _shorten(error: Exception) -> str:
    return make_inert(str(error))[:300]


def check_logs(make_client: MakeClient, log_group: str) -> Check:
    """Judges whether the logs of jobs can be read; before the first job there is no log group."""
    try:
        make_client("logs").describe_log_streams(logGroupName=log_group, limit=1)
    except ClientError as error:
        if error.response["Error"].get("Code") == "ResourceNotFoundException":
            return Check(name="logs", state=State.OK, detail="no job has run in this region yet")
        return _fail("logs", f"cannot be read, logs:DescribeLogStreams: {_shorten(error)}", "sm-remote iam caller")
    except BotoCoreError as error:
        return _fail("logs", _shorten(error), "aws logs describe-log-groups")
    return Check(name="logs", state=State.OK, detail=f"{log_group} can be read")
