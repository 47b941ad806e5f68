"""A job is told of a secret by a reference, which is never the value."""

from __future__ import annotations

import pytest

from sm_remote.wire.secret import SecretReference, find_references, name_references, parse_reference, pick_value

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/hf-AbCdEf"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("env:HF_TOKEN", SecretReference(variable="HF_TOKEN")),
        ("secretsmanager:team/hf", SecretReference(secret_id="team/hf")),
        ("secretsmanager:team/hf#token", SecretReference(secret_id="team/hf", key="token")),
        (f"secretsmanager:{ARN}#a", SecretReference(secret_id=ARN, key="a")),
    ],
)
def test_a_reference_names_a_variable_or_a_secret(text: str, reference: SecretReference) -> None:
    assert parse_reference(text) == reference


def test_an_arn_names_its_region() -> None:
    assert parse_reference(f"secretsmanager:{ARN}").region == "eu-west-1"
    assert parse_reference("secretsmanager:team/hf").region is None


@pytest.mark.parametrize("text", ["", "hf_abcdef", "env:", "env:A B", "env:1A", "secretsmanager:", "secretsmanager:a#"])
def test_anything_else_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_reference(text)
    assert not text or text not in str(caught.value).split()


def test_references_survive_the_request() -> None:
    references = {"HF_TOKEN": "env:A", "B": "secretsmanager:b"}
    environment = {**name_references(references), "OTHER": "1", "SM_REMOTE_SECRET_": "no name"}
    assert find_references(environment) == references


def test_a_key_picks_its_value() -> None:
    assert pick_value("whole", "") == "whole"
    assert pick_value('{"a": "x", "b": 5}', "a") == "x"
    assert pick_value('{"a": "x", "b": 5}', "b") == "5"


@pytest.mark.parametrize("text", ["hidden", '["hidden"]', '{"other": "hidden"}'])
def test_a_key_that_is_not_there_is_said_without_the_secret(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        pick_value(text, "a")
    assert "hidden" not in str(caught.value)
