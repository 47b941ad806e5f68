"""What this machine cannot carry out of a request that is right."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.service.api.errors import ApiError
from sm_remote.service.hosts.capacity import Capacity
from sm_remote.service.jobs.requests import check_job_request
from tests.fakes.service import build_request

MACHINE = Capacity(cpus=4, memory_bytes=16 << 30, gpus=0)


class NoBuckets:
    """No bucket is to be asked."""

    def find(self, uri: Any) -> Any:
        raise AssertionError(f"{uri} is asked")


def refuse(**members: Any) -> str:
    with pytest.raises(ApiError) as caught:
        check_job_request(build_request(**members), MACHINE, NoBuckets())  # type: ignore[arg-type]
    return caught.value.message


def channel(**source: Any) -> dict[str, Any]:
    return {"InputDataConfig": [{"ChannelName": "train", "DataSource": source}]}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"ServerlessJobConfig": {"JobType": "FineTuning"}}, "runs no serverless jobs: give AlgorithmSpecification"),
        ({"MlflowConfig": {"MlflowResourceArn": "a"}}, "has no MLflow server: leave out MlflowConfig"),
        ({"ModelPackageConfig": {"ModelPackageGroupArn": "a"}}, "has no model registry: leave out ModelPackageConfig"),
        ({"AlgorithmSpecification": {"AlgorithmName": "a"}}, "knows no AlgorithmName: give a TrainingImage"),
        ({"ResourceConfig": {"InstancePlacementConfig": {"EnableMultipleJobs": True}}}, "has no UltraServers"),
        (channel(FileSystemDataSource={"FileSystemId": "fs-1"}), "give an S3DataSource instead"),
        (channel(DatasetSource={"DatasetArn": "a"}), "give an S3DataSource instead of a DatasetSource (channel train)"),
        (channel(S3DataSource={"S3DataType": "Converse", "S3Uri": "s3://b/k"}), "S3DataType Converse"),
    ],
)
def test_what_this_service_has_not_got_is_refused_with_what_to_give_instead(members, words):
    assert words in refuse(**members)


def test_all_reasons_are_told_before_any_bucket_is_asked():
    message = refuse(
        MlflowConfig={"MlflowResourceArn": "a"},
        ResourceConfig={"InstanceType": "ml.g5.xlarge"},
        **channel(DatasetSource={"DatasetArn": "a"}),
    )
    assert message.startswith("3 validation errors detected: ")
    for words in ("MLflow", "DatasetSource", "ml.g5.xlarge has 1 x NVIDIA A10G"):
        assert words in message


def test_an_accelerator_in_any_instance_group_must_be_here():
    groups = [
        {"InstanceGroupName": name, "InstanceType": instance_type, "InstanceCount": 1}
        for name, instance_type in (("a", "ml.m5.large"), ("b", "ml.trn1.2xlarge"))
    ]
    resources = {"InstanceGroups": groups, "VolumeSizeInGB": 1}
    request = {**build_request(), "ResourceConfig": resources}
    with pytest.raises(ApiError, match=r"ml\.trn1\.2xlarge has 1 x AWS Trainium"):
        check_job_request(request, MACHINE, NoBuckets())  # type: ignore[arg-type]


def test_one_of_the_preferred_types_that_is_here_is_enough():
    resources = {"InstancePreferences": [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.m5.large"}]}
    check_job_request({**build_request(), "ResourceConfig": resources}, MACHINE, NoBuckets())  # type: ignore[arg-type]
    resources = {"InstancePreferences": [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.trn1.2xlarge"}]}
    with pytest.raises(ApiError, match=r"^ValidationException: ml\.g5\.xlarge has 1 x NVIDIA A10G"):
        check_job_request({**build_request(), "ResourceConfig": resources}, MACHINE, NoBuckets())  # type: ignore[arg-type]
