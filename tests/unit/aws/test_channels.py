"""A channel is spelled as the API has it, and read back as it was."""

from __future__ import annotations

import pytest

from sm_remote.aws.channels import build_channel, describe_source, read_channel
from sm_remote.aws.constraints import check_request
from sm_remote.spec import Channel, FileSystem

DATASET = "arn:aws:sagemaker:eu-west-1:111122223333:hub-content/Hub/DataSet/mine/1.0.0"
CHANNELS = [
    Channel(name="plain", s3_uri="s3://bucket/data/"),
    Channel(
        name="all",
        s3_uri="s3://bucket/list.jsonl",
        s3_data_type="AugmentedManifestFile",
        content_type="image/jpeg",
        input_mode="Pipe",
        distribution="ShardedByS3Key",
        compression="Gzip",
        record_wrapper="RecordIO",
        shuffle_seed=0,
        attribute_names=("source-ref",),
        instance_groups=("cpu",),
        hub_content_arn="arn:aws:x",
        accept_eula=False,
    ),
    Channel(name="efs", file_system=FileSystem(id="fs-01234567", type="EFS", directory_path="/data", access_mode="rw")),
    Channel(name="set", dataset_arn=DATASET),
]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_is_read_back_as_it_was_built(channel: Channel) -> None:
    raw = build_channel(channel)
    assert read_channel(raw) == channel
    problems = check_request("CreateTrainingJob", {"InputDataConfig": [raw]})
    assert [problem for problem in problems if "InputDataConfig" in problem] == []


def test_every_member_of_the_api_can_be_said() -> None:
    from botocore.session import get_session

    shape = get_session().get_service_model("sagemaker").shape_for("Channel")
    spelled = [build_channel(channel) for channel in CHANNELS]

    def missing(shape, values, path=""):
        for name, member in shape.members.items():
            found = [value[name] for value in values if name in value]
            if not found:
                yield f"{path}{name}"
            elif member.type_name == "structure":
                yield from missing(member, found, f"{path}{name}.")

    assert list(missing(shape, spelled)) == []


def test_where_the_data_is_can_be_told_of_every_kind() -> None:
    shown = [describe_source(build_channel(channel)) for channel in CHANNELS]
    assert shown == ["s3://bucket/data/", "s3://bucket/list.jsonl", "fs-01234567:/data", DATASET]
    assert describe_source({}) == ""
