"""The values of a local job's secrets are read where it is submitted, each time anew."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.aws.secrets import check_variables, read_request_values, read_values
from sm_remote.errors import ConfigError
from tests.fakes.secrets_manager import FakeSecretsManager

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/hf-AbCdEf"


def test_values_come_from_variables_and_from_secrets_manager() -> None:
    manager = FakeSecretsManager({"team/db": '{"user": "me", "password": "p"}', ARN: "whole"})
    references = {
        "HF_TOKEN": "env:MINE",
        "DB_USER": "secretsmanager:team/db#user",
        "DB_PASSWORD": "secretsmanager:team/db#password",
        "A": f"secretsmanager:{ARN}",
    }
    values = read_values(
        references, environ={"MINE": "x"}, make_client=lambda region: manager.client(region_name=region)
    )
    assert values == {"HF_TOKEN": "x", "DB_USER": "me", "DB_PASSWORD": "p", "A": "whole"}
    assert manager.asked == [(None, "team/db"), ("eu-west-1", ARN)]


@pytest.mark.parametrize("environ", [{}, {"MINE": ""}])
def test_a_variable_that_is_not_set_is_said_with_how_to_set_it(environ: dict[str, str]) -> None:
    for look in (read_values, check_variables):
        with pytest.raises(ConfigError, match="MINE is not set") as caught:
            look({"HF_TOKEN": "env:MINE"}, environ=environ)
        assert "getpass" in caught.value.fix


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("secretsmanager:absent", "ResourceNotFoundException"),
        ("secretsmanager:text#key", "no JSON object"),
        ("secretsmanager:binary", "binary"),
        ("hidden-value", "neither env:NAME"),
    ],
)
def test_a_secret_that_cannot_be_read_is_not_shown(reference: str, why: str) -> None:
    manager = FakeSecretsManager({"text": "hidden-value", "binary": b"\xff"})
    with pytest.raises(ConfigError, match="nothing was sent") as caught:
        read_values({"HF_TOKEN": reference}, environ={}, make_client=lambda region: manager.client())
    assert why in caught.value.why
    assert "hidden-value" not in str(caught.value)


def test_too_much_is_refused() -> None:
    with pytest.raises(ConfigError, match="too large"):
        read_values({"A": "env:A"}, environ={"A": "x" * 40_000})


def test_a_request_without_secrets_needs_nothing() -> None:
    for request in ({}, {"Environment": {"A": "1"}}):
        empty: Any = read_request_values(request)
        assert empty == {}
