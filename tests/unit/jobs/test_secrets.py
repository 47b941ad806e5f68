"""A secret never stands in a request: what looks like one is refused before anything is looked at or sent."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.errors import ConfigError
from sm_remote.jobs.secrets import check_changes, check_secrets
from sm_remote.jobs.submit import prepare_function
from sm_remote.settings import resolve_settings

KEY = "AK" + "IA" + "ABCDEFGHIJKLMNOP"


def resolve(**settings: Any) -> Any:
    return resolve_settings(settings, environ={"HOME": "/nowhere"}, cwd="/")


@pytest.mark.parametrize(
    "settings",
    [
        {"environment_variables": {"A": "1", "KEY": KEY}},
        {"hyperparameters": {"key": KEY}},
        {"tags": {"key": KEY}},
        {"extra_request": {"HyperParameters": {"key": KEY}}},
    ],
)
def test_a_call_is_refused_before_its_target_is_asked_anything(settings: dict[str, Any]) -> None:
    nothing: Any = object()
    with pytest.raises(ConfigError, match="looks like an AWS access key") as caught:
        prepare_function(print, (), {}, resolve(**settings), nothing)
    assert KEY not in str(caught.value)


def test_a_value_that_is_known_to_be_no_secret_passes() -> None:
    check_secrets(resolve(environment_variables={"KEY": KEY, "A": "b"}, not_secret=["KEY"]))


def test_what_a_replay_changes_is_looked_at_too() -> None:
    with pytest.raises(ConfigError, match="looks like an AWS access key"):
        check_changes({"hyperparameters": {"key": KEY}}, target="local")
    check_changes({"hyperparameters": {"key": KEY}, "not_secret": ("key",)}, target="local")
