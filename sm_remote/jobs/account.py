"""The account that a job runs in: its role and its bucket, found or proposed before anything is sent."""

from __future__ import annotations

import logging
import shlex
import threading

from sm_remote.aws.session import Session
from sm_remote.errors import ConfigError

logger = logging.getLogger("sm_remote")

NEW_ROLE = "sm-remote-job"
"""What the proposed commands call a role."""


class Account:
    """What one connection knows of its account; each thing is asked once.

    Args:
        session: To AWS.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._roles: dict[str | None, str] = {}
        self._buckets: set[str] = set()

    def choose_role(self, role: str | None) -> str:
        """The ARN of the execution role.

        Args:
            role: Its ARN or name; None for that of the running environment.

        Raises:
            ConfigError: There is none, it is of another account, or its name cannot be looked up.
        """
        with self._lock:
            if role not in self._roles:
                self._roles[role] = self._find_role(role)
            return self._roles[role]

    def _find_role(self, role: str | None) -> str:
        from sm_remote.aws.execution_role import find_own_role, list_candidates, parse_role_arn

        session = self._session
        if role is None:
            found = find_own_role(session.client, session.account)
            if found is None:
                raise _propose_role(list_candidates(session.client, session.account), session)
            logger.info("No role is set: the job acts under this environment's, %s", found)
            return found
        if not role.startswith("arn:"):
            return self._expand(role)
        parts = parse_role_arn(role)
        if parts is not None and session.account not in (None, parts["account"]):
            raise ConfigError(
                f"The role {role} is of the account {parts['account']}, and the job would run in {session.account}; "
                "nothing was sent.",
                why="A role can be passed to a service within its own account alone.",
                fix="Name a role of this account, or use credentials of the other (AWS_PROFILE).",
            )
        return role

    def _expand(self, name: str) -> str:
        from sm_remote.aws.execution_role import RoleUnknown, describe_role, list_candidates

        session = self._session
        short = name.rpartition("/")[2]
        try:
            return describe_role(session.client, short).arn
        except RoleUnknown as error:
            if error.missing:
                candidates = list_candidates(session.client, session.account)
                raise _propose_role(candidates, session, f"There is no role {short!r} in this account.") from error
            raise ConfigError(
                f"The ARN of the role {name!r} cannot be looked up; nothing was sent.",
                why=str(error),
                fix=f"Give the ARN itself: role='arn:{_partition(session)}:iam::{session.account}:role/{name}' (with "
                "the role's path, if it has one); or let your identity do iam:GetRole.",
            ) from error

    def require_bucket(self, bucket: str) -> None:
        """Makes sure that a bucket is there, in the job's region, and not somebody else's.

        Raises:
            ConfigError: It is not.
            StorageError: S3 cannot be asked.
        """
        with self._lock:
            if bucket not in self._buckets:
                self._check_bucket(bucket)
                self._buckets.add(bucket)

    def _check_bucket(self, bucket: str) -> None:
        from sm_remote.aws.buckets import Standing, inspect_bucket, refuse_foreign_bucket

        session = self._session
        found = inspect_bucket(session.client("s3"), bucket)
        if found.standing is Standing.FOREIGN:
            raise refuse_foreign_bucket(bucket)
        if found.standing is Standing.MISSING:
            raise ConfigError(
                f"The bucket {bucket!r} does not exist; nothing was sent.",
                why="Functions, data and results are stored there. No bucket is made unasked.",
                fix=f"`sm-remote create-bucket {bucket}` makes it, private and encrypted; or set s3_root_uri to a "
                "bucket that exists.",
                bucket=bucket,
            )
        if found.standing is Standing.READY and found.region not in (None, "", session.region):
            raise ConfigError(
                f"The bucket {bucket!r} is in {found.region}, and the job would run in {session.region}; nothing was "
                "sent.",
                why="SageMaker reads and writes buckets of its own region alone.",
                fix=f"Set region={found.region!r}, or s3_root_uri to a bucket in {session.region}.",
                bucket=bucket,
            )
        # What is left is unknown or may not be listed: each request names the owner, so nothing can go elsewhere.


def default_bucket(region: str, account: str | None) -> str:
    """SageMaker's own bucket of an account in a region. Source: SageMaker SDK, `Session.default_bucket`."""
    return f"sagemaker-{region}-{account}"


def spell_new_role(name: str = NEW_ROLE) -> str:
    """The commands that make a role for jobs."""
    name = shlex.quote(name)
    return (
        f'aws iam create-role --role-name {name} --assume-role-policy-document "$(sm-remote iam trust)" && '
        f"aws iam put-role-policy --role-name {name} --policy-name sm-remote --policy-document "
        '"$(sm-remote iam job)"'
    )


def _propose_role(candidates: list[str], session: Session, what: str = "No execution role is set.") -> ConfigError:
    if candidates:
        listed = "\n".join(f"    role={arn!r}" for arn in candidates)
        fix = f"Roles of this account that SageMaker may take on:\n{listed}\nOr make one:\n    {spell_new_role()}"
    else:
        fix = (
            f"Pass role='arn:{_partition(session)}:iam::{session.account}:role/<name>', or set it in the "
            f"configuration file. This makes one:\n    {spell_new_role()}"
        )
    return ConfigError(
        what,
        why="On SageMaker a job acts under an IAM role that SageMaker may take on, and the credentials in use come "
        "from no such role. Nothing was sent.",
        fix=fix,
        candidates=candidates,
    )


def _partition(session: Session) -> str:
    from sm_remote.aws.policies import find_partition

    return find_partition(session.region)
