"""What a cell's card says of settings that the call has chosen otherwise than the panel or the session."""

from __future__ import annotations

import pytest

from sm_remote.notebook.audience import describe_overrides
from sm_remote.settings import resolve_settings
from sm_remote.settings.notebook import forget_notebook_settings, set_notebook_settings
from sm_remote.settings.session import set_session_settings


@pytest.fixture(autouse=True)
def panel():
    set_notebook_settings({"max_runtime_in_seconds": 600, "volume_size": 40})
    yield
    forget_notebook_settings()
    set_session_settings({})


def test_a_call_that_chooses_nothing_itself_overrides_nothing():
    assert list(describe_overrides(resolve_settings({}))) == []


def test_an_argument_over_the_panel_is_told_and_the_same_value_is_none():
    settings = resolve_settings({"max_runtime_in_seconds": 900, "volume_size": 40})
    assert list(describe_overrides(settings)) == ["max_runtime_in_seconds is 900 here, not the panel's 600"]


def test_the_session_over_the_panel_is_told_and_an_argument_over_both():
    set_session_settings({"max_runtime_in_seconds": 700})
    assert list(describe_overrides(resolve_settings({}))) == [
        "max_runtime_in_seconds is 700 by %remote, not the panel's 600"
    ]
    assert list(describe_overrides(resolve_settings({"max_runtime_in_seconds": 900}))) == [
        "max_runtime_in_seconds is 900 here, not the panel's 600",
        "max_runtime_in_seconds is 900 here, not the session's 700",
    ]


def test_no_value_of_an_environment_variable_is_told():
    set_session_settings({"environment_variables": {"TOKEN": "usual"}})
    (told,) = describe_overrides(resolve_settings({"environment_variables": {"KEY": "other", "B": "c"}}))
    assert told == "environment_variables is B, KEY here, not the session's TOKEN"
