"""Each host is told by variables what the platform's files say of it."""

from __future__ import annotations

import json

import pytest

from sm_remote.runtime.environment import build_variables

GROUPS = [
    {"instance_group_name": "small", "instance_type": "ml.m5.large", "hosts": ["algo-1"]},
    {"instance_group_name": "large", "instance_type": "ml.m5.xlarge", "hosts": ["algo-2", "algo-3"]},
]


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setenv("SM_REMOTE_ML_ROOT", str(tmp_path))
    config = tmp_path / "input" / "config" / "resourceconfig.json"
    config.parent.mkdir(parents=True)

    def read(**resources):
        config.write_text(json.dumps({"current_host": "algo-2", "hosts": ["algo-1", "algo-2", "algo-3"], **resources}))
        return build_variables()

    return read


def test_a_host_of_a_group_knows_its_own_and_all_groups(read):
    variables = read(current_group_name="large", instance_groups=GROUPS)
    assert variables["SM_CURRENT_INSTANCE_GROUP"] == "large"
    assert json.loads(variables["SM_CURRENT_INSTANCE_GROUP_HOSTS"]) == ["algo-2", "algo-3"]
    assert json.loads(variables["SM_INSTANCE_GROUPS"]) == ["small", "large"]
    assert json.loads(variables["SM_INSTANCE_GROUPS_DICT"]) == dict(zip(("small", "large"), GROUPS, strict=True))
    assert variables["SM_IS_HETERO"] == "true"


def test_machines_of_one_type_are_one_group(read):
    variables = read(current_group_name="homogeneousCluster", instance_groups=[{**GROUPS[1], "hosts": ["algo-1"]}])
    assert variables["SM_IS_HETERO"] == "false"
    assert read()["SM_CURRENT_INSTANCE_GROUP_HOSTS"] == "[]"
