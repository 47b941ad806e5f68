"""Policies of IAM, built from the table of permissions: for who submits, for jobs, and who may take on a job's role.

Pure: a `Scope` says for which account, bucket and role; dicts as IAM takes them come out.
Source: IAM User Guide, "IAM JSON policy elements reference"; SageMaker Developer Guide, "Cross-service confused deputy
prevention".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.aws import permissions as names
from sm_remote.aws.ecr_uri import OWN_REPOSITORY
from sm_remote.aws.permissions import CALLER, EXECUTION, Permission
from sm_remote.aws.training_jobs import LOG_GROUP

VERSION = "2012-10-17"
PRINCIPAL = "sagemaker.amazonaws.com"

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a policy is limited to.

    Attributes:
        region: Of the jobs; ``*`` for every one.
        account: That has the jobs, as 12 digits.
        bucket: Where functions, data and results are stored.
        prefix: Below it, without slashes around it; may be empty.
        role_arn: The execution role of jobs; where it is empty, no role may be passed.
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
        checkpoints: Where checkpoints are kept outside of that place, each ``bucket`` or ``bucket/prefix``.
        inputs: What jobs read outside of it, each ``bucket`` or ``bucket/prefix``.
        kms_keys: ARNs of keys of one's own.
        image_repositories: ARNs of repositories that images come from; all of ECR where there is none.
        secrets: ARNs of secrets that jobs read.
    """

    region: str
    account: str
    bucket: str
    prefix: str = ""
    role_arn: str = ""
    partition: str = "aws"
    checkpoints: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    kms_keys: tuple[str, ...] = ()
    image_repositories: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


def find_partition(region: str) -> str:
    """The partition of a region. Source: AWS General Reference, "Amazon Resource Names", partitions."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def build_caller_policy(scope: Scope, parts: Iterable[str]) -> Document:
    """What the identity that submits needs.

    Args:
        scope: What it is limited to.
        parts: Those of `permissions.PARTS` that are used, besides ``run``.
    """
    wanted = {names.RUN, *parts, *_conditional_parts(scope)}
    return _build_policy((row for row in CALLER if wanted & set(row.parts)), scope)


def build_execution_policy(scope: Scope, *, vpc: bool = False) -> Document:
    """What the execution role of jobs needs.

    Args:
        scope: What it is limited to.
        vpc: Whether jobs run with subnets and security groups.
    """
    wanted = {names.JOB, *_conditional_parts(scope), *([names.VPC] if vpc else [])}
    return _build_policy((row for row in EXECUTION if wanted & set(row.parts)), scope)


def build_trust_policy(account: str | None) -> Document:
    """Who may take on a job's role: SageMaker, on behalf of this account alone where it is given."""
    statement: Document = {"Effect": "Allow", "Principal": {"Service": PRINCIPAL}, "Action": "sts:AssumeRole"}
    if account:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return {"Version": VERSION, "Statement": [statement]}


def _conditional_parts(scope: Scope) -> set[str]:
    return ({names.KMS} if scope.kms_keys else set()) | ({names.SECRETS} if scope.secrets else set())


def _build_policy(rows: Iterable[Permission], scope: Scope) -> Document:
    """One statement for each resource and condition, in the order of the table."""
    actions: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        actions.setdefault((row.on, row.condition), set()).update(row.actions)
    built = [_build_statement(on, condition, found, scope) for (on, condition), found in actions.items()]
    return {"Version": VERSION, "Statement": [statement for statement in built if statement["Resource"]]}


def _build_statement(on: str, condition: str, actions: set[str], scope: Scope) -> Document:
    resources = find_resources(on, scope)
    statement: Document = {
        "Sid": "".join(word.capitalize() for word in f"{on} {condition}".split()),
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": resources[0] if len(resources) == 1 else list(resources),
    }
    if condition:
        statement["Condition"] = _CONDITIONS[condition]
    return statement


def find_resources(on: str, scope: Scope) -> tuple[str, ...]:
    """The ARNs that a name of the table stands for; none where the scope has none of the kind."""
    here = f"{scope.region}:{scope.account}"
    s3 = f"arn:{scope.partition}:s3:::"
    places = ("/".join(filter(None, (scope.bucket, scope.prefix))), *scope.checkpoints)
    found: Mapping[str, tuple[str, ...]] = {
        names.ANYTHING: ("*",),
        names.TRAINING_JOBS: (f"arn:{scope.partition}:sagemaker:{here}:training-job/*",),
        names.LOGS: (f"arn:{scope.partition}:logs:{here}:log-group:{LOG_GROUP}:*",),
        names.THE_BUCKET: _spell_buckets(s3, places),
        names.OBJECTS: tuple(f"{s3}{each}/*" for each in places),
        names.INPUT_BUCKETS: _spell_buckets(s3, scope.inputs),
        names.INPUT_OBJECTS: tuple(f"{s3}{each}*" if "/" in each else f"{s3}{each}/*" for each in scope.inputs),
        names.ROLE: (scope.role_arn,) if scope.role_arn else (),
        names.REPOSITORY: (f"arn:{scope.partition}:ecr:{here}:repository/{OWN_REPOSITORY}",),
        names.IMAGE: scope.image_repositories or (f"arn:{scope.partition}:ecr:*:*:repository/*",),
        names.KEYS: scope.kms_keys,
        names.SECRET: scope.secrets,
    }
    return found[on]


def _spell_buckets(s3: str, places: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{s3}{place.partition('/')[0]}" for place in places))


_CONDITIONS: Mapping[str, Document] = {
    names.TO_SAGEMAKER: {"StringEquals": {"iam:PassedToService": PRINCIPAL}},
    names.METRICS_OF_JOBS: {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
}
