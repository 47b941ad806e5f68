"""What cannot hold together is refused before anything is sent, with where each value comes from."""

from __future__ import annotations

import pytest

from sm_remote.errors import ConfigError
from sm_remote.settings import check_combinations, resolve_settings
from sm_remote.settings.combinations import RULES
from sm_remote.settings.schema import NAMES

GROUPS = [
    {"InstanceGroupName": "small", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    {"InstanceGroupName": "large", "InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
]
LAMBDA = "arn:aws:lambda:us-east-1:111122223333:function:login"
BROKEN = [
    {"pre_execution_commands": ["true"], "pre_execution_script": "setup.sh"},
    {"use_spot_instances": True, "max_runtime_in_seconds": 100, "max_wait_time_in_seconds": 99},
    {"use_spot_instances": True, "keep_alive_period_in_seconds": 60},
    {"instance_groups": GROUPS, "keep_alive_period_in_seconds": 60},
    {"use_torchrun": True, "use_mpirun": True},
    {"use_mpirun": True, "instance_groups": GROUPS, "engine": "process"},
    {"nproc_per_node": 2},
    {"subnets": ["subnet-1"]},
    {"security_group_ids": ["sg-1"]},
    {"training_repository_access_mode": "Vpc"},
    {"training_repository_credentials_provider_arn": LAMBDA},
    {"volume_kms_key": "alias/disks", "instance_type": "ml.g4dn.xlarge"},
    {"retry_on": ["OutOfMemory"], "instance_groups": GROUPS},
    {"secrets": {"A": "secretsmanager:a", "B": "secretsmanager:b"}, "environment_variables": {"B": "1"}},
    {"secrets": {"A": "secretsmanager:a"}, "enable_network_isolation": True, "target": "sagemaker"},
    {"profiler_config": {"ProfilingIntervalInMilliseconds": 500}},
]
HOLDS = [
    {},
    {"pre_execution_commands": ["true"]},
    {"use_spot_instances": True, "max_runtime_in_seconds": 100, "max_wait_time_in_seconds": 100},
    {"max_runtime_in_seconds": 100, "max_wait_time_in_seconds": 99},
    {"use_spot_instances": True, "keep_alive_period_in_seconds": 0},
    {"use_mpirun": True, "instance_count": 2, "engine": "docker"},
    {"use_mpirun": True, "instance_count": 2, "engine": "process", "target": "sagemaker"},
    {"nproc_per_node": 2, "use_torchrun": True},
    {"subnets": ["subnet-1"], "security_group_ids": ["sg-1"], "training_repository_access_mode": "Vpc"},
    {"volume_kms_key": "alias/disks", "instance_type": "ml.m5.large"},
    {"volume_kms_key": "alias/disks", "target": "sagemaker"},
    {"profiler_config": {"DisableProfiler": True}},
    {"secrets": {"A": "secretsmanager:a"}, "environment_variables": {"B": "1"}, "enable_network_isolation": True},
    {"instance_groups": GROUPS},
    {"volume_kms_key": "alias/disks", "instance_type": ["ml.m5.large", "ml.c5.xlarge"]},
]


@pytest.fixture
def resolve(tmp_path):
    def run(arguments, **environ):
        return resolve_settings(arguments, environ={"HOME": str(tmp_path), **environ}, cwd=tmp_path, notebook={})

    return run


@pytest.mark.parametrize(("number", "arguments"), list(enumerate(BROKEN)), ids=[rule.settings[0] for rule in RULES])
def test_what_cannot_hold_is_refused_with_reason_and_remedy(resolve, number, arguments):
    with pytest.raises(ConfigError) as caught:
        check_combinations(resolve(arguments))
    error, rule = caught.value, RULES[number]
    assert error.facts["settings"] == rule.settings
    assert set(rule.settings) <= set(NAMES)
    assert "{" not in f"{error.what}{error.why}"
    assert error.what.endswith(".")
    assert error.why.endswith(".")
    assert error.fix == rule.fix


def test_every_rule_is_tried():
    assert len(BROKEN) == len(RULES)


@pytest.mark.parametrize("arguments", HOLDS)
def test_what_can_hold_is_let_pass(resolve, arguments):
    check_combinations(resolve(arguments))


def test_values_and_their_origins_are_told_also_where_they_look_like_a_template(resolve):
    text = '{"A {nope}": 1}'
    settings = resolve(
        {"pre_execution_script": "{nope}.sh"}, SM_REMOTE_PRE_EXECUTION_COMMANDS="echo {0}", SM_REMOTE_EXTRA_REQUEST=text
    )
    with pytest.raises(ConfigError, match="Both") as caught:
        check_combinations(settings)
    assert "SM_REMOTE_PRE_EXECUTION_COMMANDS" in caught.value.why
    assert "argument" in caught.value.why


def test_groups_and_one_type_equally_near_are_refused(resolve):
    for name, value in (("instance_type", "ml.m5.large"), ("instance_count", 2)):
        with pytest.raises(ConfigError, match=f"instance_groups .* and {name} ") as caught:
            resolve({"instance_groups": GROUPS, name: value})
        assert caught.value.facts["settings"] == ("instance_groups", name)


def test_of_groups_and_one_type_the_nearer_one_counts(resolve):
    groups = resolve({"instance_groups": GROUPS}, SM_REMOTE_INSTANCE_TYPE="ml.c5.xlarge")
    assert groups.machines == (("ml.m5.large", 1), ("ml.m5.xlarge", 2))
    assert (groups.instance_type, groups.instance_count) == ("ml.m5.large", 3)
    assert groups.origin("instance_type") == groups.origin("instance_count") == "argument"
    single = resolve(
        {"instance_type": "ml.c5.xlarge"},
        SM_REMOTE_INSTANCE_GROUPS='[{"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 4}]',
    )
    assert single.machines == (("ml.c5.xlarge", 1),)
    assert single.instance_groups == ()


def test_a_type_of_a_group_that_does_not_exist_is_refused(resolve):
    for name in ("ml.m5.tiny", "local"):
        with pytest.raises(ConfigError, match="no instance type"):
            resolve({"instance_groups": [{**GROUPS[0], "InstanceType": name}]})
