"""Sources, their order, and what each value says about where it came from."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sm_remote.catalogue import find_instance_type
from sm_remote.errors import ConfigError
from sm_remote.settings import (
    check_combinations,
    find_project_file,
    find_user_file,
    read_notebook_settings,
    resolve_settings,
    set_notebook_settings,
)

SOURCES = ["user", "project", "environment", "notebook", "argument"]


def test_without_any_source_the_defaults_hold(place):
    resolved = place.resolve()
    assert (resolved.target, resolved.instance_type) == ("local", "ml.m5.large")
    assert {resolved.origin(name) for name in resolved.origins} == {"default"}
    assert (resolved.whole_host, resolved.gpu) == (False, False)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(given_by=st.fixed_dictionaries({}, optional={source: st.integers(1, 9999) for source in SOURCES}))
def test_the_source_nearest_to_the_call_decides(place, given_by):
    """For every subset of sources the highest one's value and origin come out."""
    user_file = place.write_user_file(_toml("user", given_by))
    project_file = place.write_project_file("[tool.sm_remote]\n" + _toml("project", given_by))
    for path in (user_file, project_file):
        os.utime(path, ns=(0, time.time_ns()))
    resolved = place.resolve(
        {"volume_size": given_by["argument"]} if "argument" in given_by else {},
        environ={"SM_REMOTE_VOLUME_SIZE": str(given_by["environment"])} if "environment" in given_by else {},
        notebook={"volume_size": given_by["notebook"]} if "notebook" in given_by else {},
    )
    origins = {
        "user": str(user_file),
        "project": str(project_file),
        "environment": "SM_REMOTE_VOLUME_SIZE",
        "notebook": "notebook",
        "argument": "argument",
    }
    highest = next((source for source in reversed(SOURCES) if source in given_by), None)
    assert resolved.value("volume_size") == (given_by[highest] if highest else 30)
    assert resolved.origin("volume_size") == (origins[highest] if highest else "default")
    assert resolved.origin("target") == "default"


def _toml(source, given_by):
    return f"volume_size = {given_by[source]}\n" if source in given_by else ""


def test_every_kind_can_be_written_in_a_file(place):
    place.write_project_file(
        """
        [tool.sm_remote]
        instance_type = "ml.c5.xlarge"
        stream_logs = false
        service_idle_s = 5
        dependencies = ["numpy"]
        metric_definitions = [{Name = "loss", Regex = "loss=(.*)"}]
        [tool.sm_remote.environment_variables]
        DEBUG = 1
        [tool.sm_remote.inputs]
        train = "s3://bucket/data"
        """
    )
    resolved = place.resolve()
    assert resolved.instance_type == "ml.c5.xlarge"
    assert resolved.stream_logs is False
    assert resolved.service_idle_s == 5.0
    assert resolved.dependencies == ("numpy",)
    assert resolved.metric_definitions == ({"Name": "loss", "Regex": "loss=(.*)"},)
    assert resolved.environment_variables == {"DEBUG": "1"}
    assert resolved.inputs == {"train": "s3://bucket/data"}


def test_every_kind_can_be_written_in_the_environment(place):
    resolved = place.resolve(
        environ={
            "SM_REMOTE_TARGET": "sagemaker",
            "SM_REMOTE_INSTANCE_TYPE": "ml.c5.xlarge",
            "SM_REMOTE_STREAM_LOGS": "No",
            "SM_REMOTE_ENABLE_NETWORK_ISOLATION": "1",
            "SM_REMOTE_SERVICE_IDLE_S": "2.5",
            "SM_REMOTE_MAX_PARALLEL_JOBS": "12",
            "SM_REMOTE_DEPENDENCIES": '["numpy", "pandas"]',
            "SM_REMOTE_ENVIRONMENT_VARIABLES": '{"A": "b=c"}',
            "SM_REMOTE_TAGS": '[["team", "x"]]',
            "SM_REMOTE_METRIC_DEFINITIONS": '{"loss": "loss=(.*)"}',
            "SM_REMOTE_ROLE": "",
            "SM_REMOTE_HOME": str(place.home),
            "SM_REMOTE_REQUIRE_ENGINE": "1",
            "SM_REMOTE_ML_ROOT": "/somewhere",
            "SM_REMOTE_STOP_GRACE_S": "1",
            "SM_REMOTE_TEST_AWS_MAX_USD": "1",
            "HTTP_PROXY": "x",
        }
    )
    assert (resolved.target, resolved.origin("target")) == ("sagemaker", "SM_REMOTE_TARGET")
    assert resolved.instance_type == "ml.c5.xlarge"
    assert (resolved.stream_logs, resolved.enable_network_isolation) == (False, True)
    assert (resolved.service_idle_s, resolved.max_parallel_jobs) == (2.5, 12)
    assert resolved.dependencies == ("numpy", "pandas")
    assert resolved.environment_variables == {"A": "b=c"}
    assert resolved.tags == {"team": "x"}
    assert resolved.metric_definitions[0]["Name"] == "loss"
    assert (resolved.role, resolved.origin("role")) == (None, "default")


@pytest.mark.parametrize(
    ("variable", "text", "accepted"),
    [
        ("SM_REMOTE_VOLUME_SIZE", "many", "a whole number"),
        ("SM_REMOTE_VOLUME_SIZE", "0", "a whole number"),
        ("SM_REMOTE_STREAM_LOGS", "perhaps", "true or false"),
        ("SM_REMOTE_TAGS", "{not json", "a dict or table"),
        ("SM_REMOTE_TAGS", "3", "a dict or table"),
        ("SM_REMOTE_TARGET", "Local", "'local' or 'sagemaker'"),
        ("SM_REMOTE_SERVICE_IDLE_S", "soon", "seconds"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_accepted(place, variable, text, accepted):
    with pytest.raises(ConfigError) as caught:
        place.resolve(environ={variable: text})
    assert variable in caught.value.what
    assert accepted in caught.value.fix


def test_an_unknown_variable_is_refused_with_the_nearest(place):
    with pytest.raises(ConfigError, match="'SM_REMOTE_INSTANCE_TYP'") as caught:
        place.resolve(environ={"SM_REMOTE_INSTANCE_TYP": "x"})
    assert "SM_REMOTE_INSTANCE_TYPE" in caught.value.fix


def test_an_unknown_key_in_a_file_names_the_file_and_the_nearest(place):
    path = place.write_user_file('instance-type = "ml.m5.large"\n')
    with pytest.raises(ConfigError) as caught:
        place.resolve()
    assert str(path) in caught.value.what
    assert "'instance_type'" in caught.value.fix
    place.write_user_file("")
    path = place.write_project_file("[tool.sm_remote]\nvolume = 3\n")
    with pytest.raises(ConfigError, match=r"pyproject.toml sets 'volume'"):
        place.resolve()


def test_an_unknown_argument_is_refused(place):
    with pytest.raises(ConfigError, match="argument sets 'instancetype'"):
        place.resolve({"instancetype": "ml.m5.large"})


@pytest.mark.parametrize("text", ["not toml", "volume_size = ", "\x00", "volume_size = 'many'"])
def test_a_broken_file_is_named(place, text):
    path = place.write_user_file(text)
    with pytest.raises(ConfigError) as caught:
        place.resolve()
    assert str(path) in caught.value.what
    assert caught.value.fix


def test_a_project_table_that_is_none_is_refused(place):
    place.write_project_file("[tool]\nsm_remote = 3\n")
    with pytest.raises(ConfigError, match="is not a table"):
        place.resolve()


def test_a_file_that_is_not_utf8_or_is_a_directory_is_named(place):
    path = place.write_user_file("")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        place.resolve()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        place.resolve()


def test_a_changed_file_is_read_again(place):
    path = place.write_project_file("[tool.sm_remote]\nvolume_size = 40\n")
    assert place.resolve().volume_size == 40
    path.write_text("[tool.sm_remote]\nvolume_size = 500\n")
    assert place.resolve().volume_size == 500
    path.unlink()
    assert place.resolve().volume_size == 30


def test_only_the_nearest_project_file_counts(place):
    place.write_project_file("[tool.sm_remote]\nvolume_size = 40\n")
    nested = place.project / "a" / "b"
    nested.mkdir(parents=True)
    assert place.resolve(cwd=nested).volume_size == 40
    (place.project / "a" / "pyproject.toml").write_text("[project]\nname = 'inner'\n")
    assert place.resolve(cwd=nested).volume_size == 30
    assert find_project_file(nested) == place.project / "a" / "pyproject.toml"


def test_the_users_file_lies_where_the_environment_says():
    assert find_user_file({"HOME": "/h"}) == Path("/h/.config/sm_remote/config.toml")
    assert str(find_user_file({"HOME": "/h", "XDG_CONFIG_HOME": "/x"})) == "/x/sm_remote/config.toml"
    assert str(find_user_file({"HOME": "/h", "XDG_CONFIG_HOME": "relative"})) == "/h/.config/sm_remote/config.toml"
    assert str(find_user_file({"HOME": "/h", "SM_REMOTE_HOME": "/s"})) == "/s/config.toml"


def test_a_path_of_requirements_is_relative_to_its_file(place):
    place.write_project_file('[tool.sm_remote]\ndependencies = "requirements.txt"\n')
    nested = place.project / "notebooks"
    nested.mkdir()
    assert place.resolve(cwd=nested).dependencies == str(place.project / "requirements.txt")
    assert place.resolve({"dependencies": "other.txt"}, cwd=nested).dependencies == "other.txt"


def test_an_argument_of_none_was_not_given(place):
    place.write_project_file("[tool.sm_remote]\nvolume_size = 40\n")
    resolved = place.resolve({"volume_size": None, "instance_type": None})
    assert (resolved.volume_size, resolved.instance_type) == (40, "ml.m5.large")


def test_dependencies_of_none_are_none(place):
    resolved = place.resolve({"dependencies": None})
    assert (resolved.dependencies, resolved.origin("dependencies")) == (None, "argument")


def test_a_mapping_replaces_the_whole_mapping_of_a_lower_source(place):
    place.write_project_file("[tool.sm_remote.tags]\nteam = 'x'\ncost = 'y'\n")
    assert place.resolve({"tags": {"team": "z"}}).tags == {"team": "z"}


def test_what_a_caller_does_with_a_mapping_changes_nobody_elses(place):
    place.write_project_file("[tool.sm_remote.tags]\nteam = 'x'\n")
    place.resolve().tags["team"] = "changed"
    place.resolve().hyperparameters["a"] = "changed"
    assert place.resolve().tags == {"team": "x"}
    assert place.resolve().hyperparameters == {}


def test_the_notebooks_settings_are_kept_until_they_are_replaced(place):
    set_notebook_settings({"volume_size": 70, "tags": {"a": "b"}})
    assert (place.resolve().volume_size, place.resolve().origin("volume_size")) == (70, "notebook")
    assert place.resolve({"volume_size": 80}).volume_size == 80
    with pytest.raises(ConfigError, match="notebook sets 'nope'"):
        set_notebook_settings({"nope": 1})
    assert read_notebook_settings() == {"volume_size": 70, "tags": {"a": "b"}}
    set_notebook_settings({})
    assert place.resolve().volume_size == 30


@pytest.mark.parametrize(("word", "gpu"), [("local", False), ("local_gpu", True)])
def test_local_as_an_instance_type_means_the_whole_of_this_machine(place, word, gpu):
    place.write_project_file("[tool.sm_remote]\ntarget = 'sagemaker'\n")
    resolved = place.resolve({"instance_type": word})
    assert (resolved.target, resolved.whole_host, resolved.gpu) == ("local", True, gpu)
    assert resolved.origin("target") == "argument"
    assert find_instance_type(resolved.instance_type).is_gpu is gpu


@pytest.mark.parametrize("where", ["same", "above"])
def test_local_as_an_instance_type_contradicts_sagemaker_as_target(place, where):
    if where == "same":
        arguments = {"target": "sagemaker", "instance_type": "local"}
    else:
        place.write_user_file("instance_type = 'local'\n")
        arguments = {"target": "sagemaker"}
    with pytest.raises(ConfigError, match="contradicts target='sagemaker'"):
        place.resolve(arguments)


def test_nothing_but_target_switches_to_sagemaker(place):
    resolved = place.resolve({"role": "arn:aws:iam::123456789012:role/x", "s3_root_uri": "s3://bucket/x"})
    assert resolved.target == "local"


def test_on_sagemaker_an_instance_type_must_be_named_before_it_is_used(place):
    resolved = place.resolve({"target": "sagemaker"})
    assert resolved.value("instance_type") is None
    with pytest.raises(ConfigError, match="No instance type is named") as caught:
        _ = resolved.instance_type
    assert "ml.m5.large" in caught.value.fix


def test_an_unknown_instance_type_is_refused_with_close_matches(place):
    with pytest.raises(ConfigError, match=r"There is no instance type 'ml.m5.lrage' \(from SM_REMOTE_") as caught:
        place.resolve(environ={"SM_REMOTE_INSTANCE_TYPE": "ml.m5.lrage"})
    assert "ml.m5.large" in caught.value.fix
    assert caught.value.facts["close_matches"][0] == "ml.m5.large"


def test_resolved_settings_cannot_be_changed_and_know_no_other_names(place):
    resolved = place.resolve()
    with pytest.raises(AttributeError):
        resolved.target = "sagemaker"
    with pytest.raises(KeyError):
        resolved.value("origins")


def test_a_deleted_working_directory_has_no_project(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_project_file() is None
    resolved = resolve_settings({}, environ={"HOME": str(tmp_path)})
    assert resolved.target == "local"


def test_commands_and_a_script_contradict_each_other(place):
    resolved = place.resolve(
        {"pre_execution_commands": ["true"]}, environ={"SM_REMOTE_PRE_EXECUTION_SCRIPT": "setup.sh"}
    )
    with pytest.raises(ConfigError, match="Both pre_execution_commands and pre_execution_script") as caught:
        check_combinations(resolved)
    assert "SM_REMOTE_PRE_EXECUTION_SCRIPT" in caught.value.why
    assert "argument" in caught.value.why


def test_a_scripts_path_in_a_file_is_relative_to_that_file(place):
    file = place.write_project_file('[tool.sm_remote]\npre_execution_script = "ci/setup.sh"\n')
    below = place.project / "below"
    below.mkdir()
    assert place.resolve(cwd=below).pre_execution_script == str(file.parent / "ci" / "setup.sh")


def test_one_command_in_the_environment_is_a_list_of_one(place):
    assert place.resolve(environ={"SM_REMOTE_PRE_EXECUTION_COMMANDS": "pip list"}).pre_execution_commands == (
        "pip list",
    )
