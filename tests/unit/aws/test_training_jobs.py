"""Credentials that a process had and has no longer are told from those that were never there, and taken again."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError, PartialCredentialsError, ProfileNotFound

from sm_remote.aws.session import Session
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import ConfigError, CredentialsExpired, ServiceUnavailable


class Account:
    """A machine's credentials, which a session reads once, when it connects."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.configuration: ConfigError | None = None

    def connect(self) -> Session:
        if self.configuration is not None:
            raise self.configuration
        return Session(
            target="sagemaker",
            region="us-east-1",
            account=lambda: None,
            holds_requests=False,
            make_client=lambda _: _build_client(self.trouble),
            make_s3_client=lambda: None,
            reconnect=self.connect,
            advice="Look.",
        )


def _build_client(trouble: Exception | None) -> Any:
    def stop_training_job(**_: Any) -> dict[str, Any]:
        if trouble is not None:
            raise trouble
        return {}

    events = SimpleNamespace(register=lambda *_: None)
    return SimpleNamespace(meta=SimpleNamespace(events=events), stop_training_job=stop_training_job)


def leave(account: Account, trouble: Exception) -> None:
    account.trouble = trouble


def remove_profile(account: Account, trouble: Exception) -> None:
    account.configuration = ConfigError("The AWS configuration cannot be used.", why=str(trouble))


@pytest.mark.parametrize(
    ("go", "trouble"),
    [
        (leave, NoCredentialsError()),
        (leave, PartialCredentialsError(provider="env", cred_var="secret_key")),
        (remove_profile, ProfileNotFound(profile="work")),
    ],
)
def test_credentials_that_are_gone_are_told_as_those_that_have_expired_and_taken_again(
    go: Callable[[Account, Exception], None], trouble: Exception
) -> None:
    account = Account()
    api = TrainingJobs(account.connect())
    api.stop("fit-1")
    account.trouble = NoCredentialsError()
    api.renew_credentials()
    go(account, trouble)
    with pytest.raises(CredentialsExpired, match="training jobs go on") as caught:
        api.stop("fit-1")
    assert str(trouble) in caught.value.why
    assert "aws sso login" in caught.value.fix
    account.trouble = account.configuration = None
    api.stop("fit-1")


def test_credentials_that_were_never_there_are_no_expired_ones() -> None:
    account = Account()
    account.trouble = NoCredentialsError()
    api = TrainingJobs(account.connect())
    with pytest.raises(ServiceUnavailable, match="No AWS credentials were found"):
        api.stop("fit-1")
    account.trouble = None
    api.stop("fit-1")


def test_a_renewal_that_finds_the_profile_gone_leaves_saying_so_to_the_next_request() -> None:
    account = Account()
    api = TrainingJobs(account.connect())
    api.stop("fit-1")
    remove_profile(account, ProfileNotFound(profile="work"))
    api.renew_credentials()
    api.stop("fit-1")
