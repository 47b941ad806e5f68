"""A local job whose type has GPUs is refused where there are none, in words that name the ways out."""

from __future__ import annotations

import pytest

from sm_remote.errors import ConfigError
from sm_remote.jobs.submission.local_gpus import refuse_missing_gpus
from sm_remote.settings import resolve_settings

GROUPS = [
    {"InstanceGroupName": "data", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    {"InstanceGroupName": "train", "InstanceType": "ml.p3.2xlarge", "InstanceCount": 1},
]


@pytest.fixture
def resolve(tmp_path):
    def run(**arguments):
        return resolve_settings(arguments, environ={"HOME": str(tmp_path)}, cwd=tmp_path, notebook={})

    return run


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        ({"instance_type": "ml.g5.xlarge"}, "ml.g5.xlarge has 1 x NVIDIA A10G", '"ml.m5.xlarge"'),
        ({"instance_type": ["ml.g5.xlarge", "ml.c5.2xlarge"]}, "ml.g5.xlarge", '"ml.c5.2xlarge"'),
        ({"instance_type": "local_gpu"}, '"local_gpu" needs a GPU', '"local" for all CPUs of this machine'),
        ({"instance_groups": GROUPS}, "ml.p3.2xlarge has 1 x NVIDIA", '"ml.m5.4xlarge"'),
    ],
)
def test_a_type_with_gpus_is_refused_where_there_are_none(resolve, arguments, what, fix):
    with pytest.raises(ConfigError) as caught:
        refuse_missing_gpus(resolve(**arguments), lambda: False)
    assert what in caught.value.what
    assert "this machine has no NVIDIA GPU" in caught.value.what
    assert fix in caught.value.fix
    assert 'target="sagemaker"' in caught.value.fix
    refuse_missing_gpus(resolve(**arguments), lambda: True)


def test_trainium_is_nowhere_here(resolve):
    with pytest.raises(ConfigError, match="this machine has no AWS Trainium"):
        refuse_missing_gpus(resolve(instance_type="ml.trn1.2xlarge"), lambda: True)


def test_nobody_is_asked_for_a_cpu_type(resolve):
    def ask() -> bool:
        raise AssertionError("asked")

    refuse_missing_gpus(resolve(instance_type="ml.m5.large"), ask)
