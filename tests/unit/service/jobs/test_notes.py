"""What is accepted here and would go otherwise on SageMaker is said, and nothing else is."""

from __future__ import annotations

import pytest

from sm_remote.service.jobs.notes import list_notes
from tests.fakes.service import build_request

S3 = "s3://bucket/prefix"
WITHOUT_EFFECT = {
    "VpcConfig": {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}},
    "EnableInterContainerTrafficEncryption": {"EnableInterContainerTrafficEncryption": True},
    "VolumeKmsKeyId": {"ResourceConfig": {"VolumeKmsKeyId": "alias/disks"}},
    "TrainingPlanArn": {"ResourceConfig": {"TrainingPlanArn": "arn"}},
    "MaxPendingTimeInSeconds": {"StoppingCondition": {"MaxPendingTimeInSeconds": 7200}},
    "TrainingImageConfig": {"AlgorithmSpecification": {"TrainingImageConfig": {"TrainingRepositoryAccessMode": "Vpc"}}},
    "EnableRemoteDebug": {"RemoteDebugConfig": {"EnableRemoteDebug": True}},
    "EnableInfraCheck": {"InfraCheckConfig": {"EnableInfraCheck": True}},
    "EnableSessionTagChaining": {"SessionChainingConfig": {"EnableSessionTagChaining": True}},
    "ExperimentConfig": {"ExperimentConfig": {"ExperimentName": "digits"}},
    "ProfilerConfig": {"ProfilerConfig": {"S3OutputPath": S3}},
    "ProfilerRuleConfigurations": {"ProfilerRuleConfigurations": [{"RuleConfigurationName": "a"}]},
    "DebugHookConfig": {"DebugHookConfig": {"S3OutputPath": S3}},
    "DebugRuleConfigurations": {"DebugRuleConfigurations": [{"RuleConfigurationName": "a"}]},
    "TensorBoardOutputConfig": {"TensorBoardOutputConfig": {"S3OutputPath": S3}},
    "KmsKeyId": {"OutputDataConfig": {"S3OutputPath": "s3://sm-remote-local/jobs", "KmsKeyId": "alias/data"}},
}


def test_a_usual_request_needs_no_note():
    assert list_notes(build_request()) == []


@pytest.mark.parametrize("member", WITHOUT_EFFECT)
def test_what_has_no_effect_here_is_said_in_one_line(member):
    (note,) = list_notes(build_request(**WITHOUT_EFFECT[member]))
    assert note == f"{member} has no effect on this machine, but on SageMaker"


def test_several_of_them_share_the_line():
    (note,) = list_notes(build_request(**WITHOUT_EFFECT["VpcConfig"], **WITHOUT_EFFECT["ExperimentConfig"]))
    assert note == "VpcConfig and ExperimentConfig have no effect on this machine, but on SageMaker"


@pytest.mark.parametrize(
    "members",
    [
        {"OutputDataConfig": {"S3OutputPath": S3, "KmsKeyId": "alias/data"}},
        {"RemoteDebugConfig": {"EnableRemoteDebug": False}},
        {"EnableInterContainerTrafficEncryption": False},
        {"ProfilerConfig": {"DisableProfiler": True}},
        {"ResourceConfig": {"KeepAlivePeriodInSeconds": 3600}},
    ],
)
def test_what_has_its_effect_or_is_off_is_not(members):
    assert list_notes(build_request(**members)) == []


def test_a_long_keep_alive_period_is_said():
    (note,) = list_notes(build_request(ResourceConfig={"KeepAlivePeriodInSeconds": 7200}))
    assert "7200" in note
    assert "3600" in note


def test_a_disk_of_a_chosen_size_is_said_not_to_be_enforced():
    (note,) = list_notes(build_request(ResourceConfig={"VolumeSizeInGB": 77}))
    assert note.startswith("VolumeSizeInGB is 77; it is not enforced here")
