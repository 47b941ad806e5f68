"""What a notebook's file may choose, and when."""

from __future__ import annotations

import json
import logging

import pytest

from sm_remote.errors import ConfigError
from sm_remote.home import find_home
from sm_remote.settings import forget_notebook_settings, resolve_settings, set_notebook_settings
from sm_remote.settings.notebook_file import find_notebook_file, read_notebook_file
from sm_remote.settings.panel_comm import take_message
from sm_remote.settings.portable import explain_private
from sm_remote.settings.trust import confirm


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Writes the file of the notebook that this process then runs."""
    path = tmp_path / "note book.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    forget_notebook_settings()

    def write(settings, **more):
        path.write_text(
            json.dumps({"cells": [], "metadata": {"sm_remote": {"schema": 1, "settings": settings, **more}}})
        )
        return path

    yield write
    forget_notebook_settings()


def test_a_saved_setting_holds_for_the_next_call(notebook):
    notebook({"volume_size": 55})
    settings = resolve_settings()
    assert (settings.volume_size, settings.origin("volume_size")) == (55, "notebook")
    notebook({"volume_size": 560})
    assert resolve_settings().volume_size == 560


def test_what_the_panel_says_replaces_the_file(notebook):
    notebook({"volume_size": 55})
    answers = []
    take_message({"settings": {"volume_size": 66}}, answers.append)
    assert resolve_settings().volume_size == 66
    take_message({"settings": {}}, answers.append)
    assert resolve_settings().volume_size == 30
    assert answers == [{"accepted": True}] * 2


def test_a_panel_that_knows_more_is_told_what_is_not_known_here(notebook):
    answers = []
    set_notebook_settings({"volume_size": 44})
    take_message({"settings": {"from_the_future": 1}}, answers.append)
    assert answers[0]["accepted"] is False
    assert "from_the_future" in answers[0]["what"]
    assert resolve_settings().volume_size == 44
    take_message({"other": 1}, answers.append)
    assert len(answers) == 1


def test_an_argument_outranks_the_notebook(notebook):
    notebook({"volume_size": 55})
    assert resolve_settings({"volume_size": 77}).volume_size == 77


@pytest.mark.parametrize(
    "settings", [{"target": "sagemaker"}, {"image_uri": "x/y"}, {"instance_type": "ml.p4d.24xlarge"}]
)
def test_a_file_chooses_nothing_dangerous_before_it_was_confirmed(notebook, settings, caplog):
    from sm_remote.settings import notebook_file

    notebook_file._warn.cache_clear()
    usual = resolve_settings(notebook={})
    notebook({**settings, "volume_size": 55})
    (name,) = settings
    with caplog.at_level(logging.WARNING, "sm_remote"):
        resolved = resolve_settings()
    assert resolved.value(name) == usual.value(name)
    assert resolved.volume_size == 55
    assert name in caplog.text
    confirm(find_home(), settings)
    assert resolve_settings().value(name) == settings[name]


def test_a_wrong_value_in_a_file_is_an_error_that_names_the_file(notebook):
    notebook({"volume_size": -1})
    with pytest.raises(ConfigError, match=r"note book\.ipynb"):
        resolve_settings()


def test_settings_of_another_version_are_refused(notebook):
    notebook({"volume_size": 55}, schema=2)
    with pytest.raises(ConfigError, match="another version"):
        resolve_settings()


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"metadata": 3}', '{"metadata": {"sm_remote": []}}', "\xff"])
def test_what_is_no_notebook_has_no_settings(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content.encode("latin-1"))
    assert read_notebook_file(path) == {}
    assert read_notebook_file(tmp_path / "missing.ipynb") == {}


def test_only_an_absolute_path_of_a_notebook_is_one():
    assert find_notebook_file({}) is None
    assert find_notebook_file({"JPY_SESSION_NAME": "relative.ipynb"}) is None
    assert find_notebook_file({"JPY_SESSION_NAME": "/console-1"}) is None


@pytest.mark.parametrize(
    ("name", "value", "is_private"),
    [
        ("role", "Trainer", True),
        ("environment_variables", {"A": "b"}, True),
        ("s3_root_uri", "s3://bucket", True),
        ("s3_kms_key", "alias/mine", True),
        ("subnets", ["subnet-1"], True),
        ("bucket_owner", "111122223333", True),
        ("secrets", {"HF_TOKEN": "secretsmanager:team/hf"}, False),
        ("image_uri", "111122223333.dkr.ecr.us-east-1.amazonaws.com/python:3.11", True),
        ("tags", {"account": "111122223333"}, True),
        ("image_uri", "python:3.11", False),
        ("tags", {"digits": "1111222233334"}, False),
        ("instance_type", "ml.m5.large", False),
    ],
)
def test_a_notebook_carries_nothing_of_an_account_or_a_secret(name, value, is_private):
    assert (explain_private(name, value) is not None) is is_private
