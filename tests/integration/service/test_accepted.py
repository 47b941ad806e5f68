"""Members that change nothing on one machine are accepted, and shown as they came."""

from __future__ import annotations

from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request, make_client, serve, wait_for_end


def test_what_one_machine_has_no_use_for_is_accepted_and_shown(home):
    members = {
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
        "EnableInterContainerTrafficEncryption": True,
        "ExperimentConfig": {"ExperimentName": "trees", "TrialName": "first"},
        "RetryStrategy": {"MaximumRetryAttempts": 3},
    }
    with serve(home, FakeEngine()) as found:
        client = make_client(found)
        tags = [{"Key": "team", "Value": "x"}]
        client.create_training_job(**build_request(**members, ResourceConfig={"VolumeSizeInGB": 77}, Tags=tags))
        description = wait_for_end(client, "fit-1")
        assert client.list_tags(ResourceArn=description["TrainingJobArn"])["Tags"] == tags
    assert {name: description[name] for name in members} == members
    assert description["ResourceConfig"]["VolumeSizeInGB"] == 77
