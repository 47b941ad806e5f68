"""The role that a job's request names. On SageMaker the account has the last word, on this machine nobody has."""

from __future__ import annotations

from sm_remote.home import LOCAL_ACCOUNT, LOCAL_ROLE_ARN
from sm_remote.jobs.connection import Connection


def choose_role(role: str | None, connection: Connection) -> str:
    """The ARN of the role that a job's request names; nobody takes on that of a local job.

    Args:
        role: Its ARN or name; None for that of the running environment.
        connection: To where the job runs.

    Raises:
        ConfigError: On SageMaker: there is none, it is of another account, or its name cannot be looked up.
    """
    if connection.target == "sagemaker":
        return connection.account.choose_role(role)
    if role is None:
        return LOCAL_ROLE_ARN
    return role if role.startswith("arn:") else f"arn:aws:iam::{LOCAL_ACCOUNT}:role/{role}"
