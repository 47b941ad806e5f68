"""Which role a job's request names: SageMaker's is looked up by the account, that of a local job by nobody."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sm_remote.home import LOCAL_ROLE_ARN
from sm_remote.jobs.creation.role import choose_role

ROLE = "arn:aws:iam::111122223333:role/team/jobs"


def test_a_local_job_takes_any_role_and_asks_nobody() -> None:
    local: Any = SimpleNamespace(target="local")
    assert choose_role(None, local) == LOCAL_ROLE_ARN
    assert choose_role(ROLE, local) == ROLE
    assert choose_role("jobs", local) == LOCAL_ROLE_ARN.replace("sm-remote-local", "jobs")


def test_on_sagemaker_the_account_has_the_last_word() -> None:
    remote: Any = SimpleNamespace(target="sagemaker", account=SimpleNamespace(choose_role={"jobs": ROLE}.__getitem__))
    assert choose_role("jobs", remote) == ROLE
