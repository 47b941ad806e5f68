"""Every setting is described, has its default, and refuses what it does not accept."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets import TraitError

from sm_remote.errors import ConfigError
from sm_remote.settings import ResolvedSettings, Settings, check_names, describe_settings
from sm_remote.settings.environment import RESERVED
from sm_remote.settings.schema import NAMES, check_value, environment_variable, read_defaults, read_text


def ignore_nothing(folder, names):
    return set()


class SDKGroup:
    """Has what the SageMaker SDK's InstanceGroup has."""

    def __init__(self, name, instance_type, count):
        self.instance_group_name, self.instance_type, self.instance_count = name, instance_type, count


GROUPS = [{"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 2}]

GOOD = [
    ("target", "sagemaker", "sagemaker"),
    ("instance_type", "ml.c5.xlarge", "ml.c5.xlarge"),
    ("instance_count", 2, 2),
    ("use_torchrun", True, True),
    ("use_mpirun", True, True),
    ("keep_alive_period_in_seconds", 600, 600),
    ("nproc_per_node", 2, 2),
    ("nproc_per_node", None, None),
    ("volume_size", 500, 500),
    ("image_uri", "python:3.12-slim", "python:3.12-slim"),
    ("dependencies", "auto_capture", "auto"),
    ("dependencies", "none", None),
    ("dependencies", None, None),
    ("dependencies", ["numpy", "pandas>=2"], ("numpy", "pandas>=2")),
    ("dependencies", [], ()),
    ("dependencies", Path("a b") / "requirements.txt", "a b/requirements.txt"),
    ("environment_variables", {"A": "x", "B": 1, "C": True, "D": 0.5}, {"A": "x", "B": "1", "C": "true", "D": "0.5"}),
    ("hyperparameters", {"learning-rate": 0.1}, {"learning-rate": "0.1"}),
    ("inputs", {"train": "s3://bucket/data/"}, {"train": "s3://bucket/data/"}),
    ("tags", {"team": "ü"}, {"team": "ü"}),
    ("tags", [("team", "x"), ("cost", "y")], {"team": "x", "cost": "y"}),
    ("tags", [{"Key": "team", "Value": "x"}], {"team": "x"}),
    ("metric_definitions", {"loss": "loss=(.*)"}, ({"Name": "loss", "Regex": "loss=(.*)"},)),
    ("metric_definitions", [{"Name": "l", "Regex": "(.*)"}], ({"Name": "l", "Regex": "(.*)"},)),
    ("job_name_prefix", "fit-a1", "fit-a1"),
    ("max_runtime_in_seconds", 1, 1),
    ("s3_root_uri", "s3://bucket/a b", "s3://bucket/a b"),
    ("bucket_owner", "111122223333", "111122223333"),
    ("service_idle_s", 5, 5.0),
    ("service_max_parallel_jobs", None, None),
    ("enable_network_isolation", True, True),
    ("preflight", False, False),
    ("pre_execution_commands", ["apt-get update", "x"], ("apt-get update", "x")),
    ("pre_execution_commands", [], ()),
    ("pre_execution_script", Path("a b") / "setup.sh", "a b/setup.sh"),
    ("include_local_workdir", True, True),
    ("custom_file_filter", ["*.csv", "data"], ("*.csv", "data")),
    ("custom_file_filter", ignore_nothing, ignore_nothing),
    ("custom_file_filter", None, None),
    ("local_workdir_limit_bytes", 1, 1),
    ("job_conda_env", "my_env-2", "my_env-2"),
    ("subnets", ["subnet-1", "subnet-2"], ("subnet-1", "subnet-2")),
    ("s3_kms_key", "arn:aws:kms:us-east-1:111122223333:key/1-2", "arn:aws:kms:us-east-1:111122223333:key/1-2"),
    ("volume_kms_key", "alias/disks", "alias/disks"),
    ("max_retry_attempts", 30, 30),
    ("max_pending_time_in_seconds", None, None),
    ("instance_groups", GROUPS, tuple(GROUPS)),
    ("instance_groups", [SDKGroup("a", "ml.m5.large", 2)], tuple(GROUPS)),
    ("experiment_config", {"ExperimentName": "digits"}, {"ExperimentName": "digits"}),
    ("extra_request", {"MlflowConfig": {"A": [1, None, (True,)]}}, {"MlflowConfig": {"A": [1, None, [True]]}}),
]

BAD = [
    ("target", "aws", "'local' or 'sagemaker'"),
    ("target", 1, "'local' or 'sagemaker'"),
    ("target", "", "'local' or 'sagemaker'"),
    ("instance_type", "", "instance type"),
    ("instance_type", 5, "instance type"),
    ("instance_count", 0, "a whole number from 1"),
    ("nproc_per_node", 0, "a whole number from 1"),
    ("keep_alive_period_in_seconds", 21601, "a whole number from 0 to 21600"),
    ("volume_size", 0, "a whole number from 1"),
    ("volume_size", -3, "a whole number from 1"),
    ("volume_size", "30", "a whole number from 1"),
    ("volume_size", 30.0, "a whole number from 1"),
    ("volume_size", True, "a whole number from 1"),
    ("dependencies", "", "a list of requirements"),
    ("dependencies", 3, "a list of requirements"),
    ("dependencies", ["numpy", 3], "a list of requirements"),
    ("environment_variables", ["A=1"], "a dict or table"),
    ("environment_variables", {"A B": "1"}, "a dict or table"),
    ("environment_variables", {"A": ["list"]}, "a dict or table"),
    ("environment_variables", {"A": None}, "a dict or table"),
    ("secrets", {"HF_TOKEN": "hf_something"}, "env:NAME"),
    ("secrets", {"HF-TOKEN": "env:A"}, "env:NAME"),
    ("secrets", {"HF_TOKEN": "secretsmanager:"}, "env:NAME"),
    ("inputs", "s3://bucket", "channel"),
    ("inputs", {"train": 3}, "channel"),
    ("inputs", {"sm_remote": "s3://bucket/x"}, "channel"),
    ("inputs", {"a/b": "s3://bucket/x"}, "channel"),
    ("tags", ["team"], "pairs"),
    ("tags", "team=x", "pairs"),
    ("metric_definitions", {"loss": "loss=[("}, "regular expressions"),
    ("metric_definitions", {"loss": "no group"}, "regular expressions"),
    ("metric_definitions", [{"Name": "loss"}], "regular expressions"),
    ("metric_definitions", "loss", "regular expressions"),
    ("job_name_prefix", "under_score", "dashes"),
    ("job_name_prefix", "-start", "dashes"),
    ("max_runtime_in_seconds", 0, "from 1"),
    ("s3_root_uri", "file:///tmp/x", "s3://bucket"),
    ("s3_root_uri", "bucket", "s3://bucket"),
    ("bucket_owner", "1111-2222-3333", "12 digits"),
    ("bucket_owner", 111122223333, "12 digits"),
    ("region", "EU West", "region"),
    ("stream_logs", "yes", "true or false"),
    ("stream_logs", 1, "true or false"),
    ("on_interrupt", "kill", "'stop' or 'detach'"),
    ("max_parallel_jobs", 0, "from 1"),
    ("engine", "podman", "'auto' or 'docker' or 'process'"),
    ("service_idle_s", 0, "seconds above 0"),
    ("service_idle_s", float("nan"), "seconds above 0"),
    ("service_idle_s", "5", "seconds above 0"),
    ("preflight", "no", "true or false"),
    ("pre_execution_commands", "apt-get update", "a list of shell commands"),
    ("pre_execution_commands", ["ok", ""], "a list of shell commands"),
    ("pre_execution_commands", ["nul\0"], "a list of shell commands"),
    ("pre_execution_script", "", "path of a file"),
    ("pre_execution_script", 3, "path of a file"),
    ("custom_file_filter", "*.csv", "list of patterns"),
    ("custom_file_filter", [3], "list of patterns"),
    ("local_workdir_limit_bytes", 0, "from 1"),
    ("job_conda_env", "my env", "letters, digits, dashes and underscores"),
    ("job_conda_env", "../base", "letters, digits, dashes and underscores"),
    ("job_conda_env", "", "letters, digits, dashes and underscores"),
    ("tags", {"AWS:team": "vision"}, "a key that begins with aws: is AWS's own"),
    ("tags", [("", "vision")], "by key"),
    ("subnets", "subnet-1", "a list of subnet ids"),
    ("subnets", ["subnet-1", "subnet-1"], "a list of subnet ids"),
    ("subnets", ["subnet 1"], "a list of subnet ids"),
    ("s3_kms_key", "a key", "KMS key"),
    ("s3_kms_key", "", "KMS key"),
    ("max_retry_attempts", 31, "from 0 to 30"),
    ("max_pending_time_in_seconds", 60, "from 1800"),
    ("training_repository_access_mode", "VPC", "'Platform' or 'Vpc'"),
    ("instance_groups", GROUPS[0], "InstanceGroupName"),
    ("instance_groups", [GROUPS[0], GROUPS[0]], "InstanceGroupName"),
    ("instance_groups", [{**GROUPS[0], "InstanceCount": 0}], "InstanceGroupName"),
    ("instance_groups", [{**GROUPS[0], "InstanceCount": True}], "InstanceGroupName"),
    ("instance_groups", [{**GROUPS[0], "Size": 1}], "InstanceGroupName"),
    ("instance_groups", [3], "InstanceGroupName"),
    ("experiment_config", {"experiment": "digits"}, "ExperimentName"),
    ("experiment_config", [("ExperimentName", "digits")], "ExperimentName"),
    ("extra_request", {"A": {1: 2}}, "CreateTrainingJob"),
    ("extra_request", {"A": {"B": [b"x"]}}, "CreateTrainingJob"),
]


@pytest.mark.parametrize(("name", "value", "kept"), GOOD)
def test_a_good_value_is_kept_as_one_form(name, value, kept):
    assert check_value(name, value, origin="argument") == kept


@pytest.mark.parametrize(("name", "value", "accepted"), BAD)
def test_a_bad_value_is_refused_with_name_origin_and_what_is_accepted(name, value, accepted):
    with pytest.raises(ConfigError) as caught:
        check_value(name, value, origin="/some/config.toml")
    error = caught.value
    assert name in error.what
    assert "/some/config.toml" in error.what
    assert error.why.endswith(".")
    assert accepted in error.fix


@pytest.mark.parametrize("name", ["target", "volume_size", "tags", "stream_logs", "service_idle_s"])
def test_none_is_no_value_where_there_must_be_one(name):
    with pytest.raises(ConfigError):
        check_value(name, None, origin="argument")


def test_an_integer_of_another_library_is_an_integer():
    class Int64:
        def __index__(self):
            return 50

    assert check_value("volume_size", Int64(), origin="argument") == 50


def test_a_secret_in_the_environment_variables_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        check_value("environment_variables", {"TOKEN": "hunter2", "BAD": []}, origin="argument")
    assert "hunter2" not in str(caught.value)
    assert "'BAD'" in str(caught.value)


def test_what_was_passed_in_is_neither_kept_nor_changed():
    given = {"A": 1}
    kept = check_value("environment_variables", given, origin="argument")
    kept["B"] = "2"
    assert given == {"A": 1}


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="sets 'instance_typ', which is not a setting") as caught:
        check_names({"instance_typ": "x"}, origin="@remote(...)")
    assert "Did you mean 'instance_type'?" in caught.value.fix
    assert caught.value.facts["nearest"] == "instance_type"


def test_a_name_that_is_like_none_is_refused_without_a_guess():
    with pytest.raises(ConfigError) as caught:
        check_names(["zzz"], origin="@remote(...)")
    assert "Did you mean" not in caught.value.fix
    assert "sm-remote config" in caught.value.fix


def test_every_setting_is_described_and_resolved():
    described = describe_settings()
    assert [found.name for found in described] == list(NAMES)
    fields = {field.name for field in dataclasses.fields(ResolvedSettings)}
    extra = {"chosen_instance_type", "further_instance_types", "whole_host", "gpu", "origins"}
    assert fields - extra | {"instance_type"} == set(NAMES)
    for found in described:
        assert found.help.endswith(".")
        assert found.accepts
        assert found.environment_variable == environment_variable(found.name)
        assert found.environment_variable not in RESERVED


def test_the_defaults_are_the_documented_ones_and_are_accepted():
    defaults = read_defaults()
    assert defaults["target"] == "local"
    assert defaults["dependencies"] == "auto"
    assert defaults["max_runtime_in_seconds"] == 86400
    assert defaults["on_interrupt"] == "stop"
    assert defaults["stream_logs"] is True
    for name, value in defaults.items():
        if value is not None:
            assert check_value(name, value, origin="default") == value


def test_settings_are_traits_that_a_form_can_bind_to():
    settings = Settings(volume_size=100)
    seen = []
    settings.observe(lambda change: seen.append(change["new"]), "target")
    settings.target = "sagemaker"
    assert (settings.volume_size, seen) == (100, ["sagemaker"])
    with pytest.raises(TraitError):
        settings.volume_size = 0
    settings.tags["a"] = "b"
    assert Settings().tags == {}


def test_importing_the_package_does_not_import_traitlets():
    code = "import sys, sm_remote; sys.exit('traitlets' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("subnets", "subnet-1, subnet-2", ("subnet-1", "subnet-2")),
        ("subnets", '["subnet-1"]', ("subnet-1",)),
        (
            "extra_request",
            '{"RetryStrategy": {"MaximumRetryAttempts": 2}}',
            {"RetryStrategy": {"MaximumRetryAttempts": 2}},
        ),
        ("experiment_config", '{"ExperimentName": "digits"}', {"ExperimentName": "digits"}),
        ("instance_groups", json.dumps(GROUPS), tuple(GROUPS)),
        ("enable_remote_debug", "yes", True),
        ("max_retry_attempts", "3", 3),
    ],
)
def test_a_variable_can_say_it_too(name, text, value):
    assert read_text(name, text, origin=environment_variable(name)) == value
