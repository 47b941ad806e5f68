"""The files under /opt/ml/input/config."""

from __future__ import annotations

import json

from sm_remote.service.hosts.host import Host
from sm_remote.service.jobs.config_files import build_input_data_config, build_resource_config, write_config
from tests.fakes.service import build_request

HOST = Host(name="algo-1", instance_type="ml.m5.large")


def channel(name: str, **members):
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/k", **members.pop("source", {})}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **members}


def test_a_channel_shows_its_modes_and_never_its_uri():
    request = build_request(
        InputDataConfig=[channel("train", ContentType="text/csv"), channel("validation", InputMode="FastFile")]
    )
    assert json.dumps(build_input_data_config(request, HOST)) == (
        '{"train": {"ContentType": "text/csv", "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", '
        '"RecordWrapperType": "None"}, "validation": {"TrainingInputMode": "FastFile", "S3DistributionType": '
        '"FullyReplicated", "RecordWrapperType": "None"}}'
    )


def test_the_resource_config_has_sagemakers_keys_in_their_order():
    hosts = [Host(name=name, instance_type="ml.g5.xlarge") for name in ("algo-2", "algo-10", "algo-1")]
    config = build_resource_config(hosts[0], hosts)
    assert json.dumps(config) == (
        '{"current_host": "algo-2", "current_instance_type": "ml.g5.xlarge", "current_group_name": '
        '"homogeneousCluster", "hosts": ["algo-1", "algo-10", "algo-2"], "instance_groups": [{"instance_group_name": '
        '"homogeneousCluster", "instance_type": "ml.g5.xlarge", "hosts": ["algo-1", "algo-10", "algo-2"]}], '
        '"network_interface_name": "eth0"}'
    )


def test_hyperparameters_are_written_as_they_were_sent(tmp_path):
    write_config(tmp_path, build_request(HyperParameters={"model": '"cnn"', "n": "5"}), host=HOST, hosts=[HOST])
    assert json.loads((tmp_path / "hyperparameters.json").read_text()) == {"model": '"cnn"', "n": "5"}


def test_without_hyperparameters_and_channels_the_files_are_there_and_empty(tmp_path):
    write_config(tmp_path, build_request(), host=HOST, hosts=[HOST])
    assert (tmp_path / "hyperparameters.json").read_text() == "{}"
    assert (tmp_path / "inputdataconfig.json").read_text() == "{}"
    assert (tmp_path / "metric-definition-regex.json").read_text() == "[]"


def test_a_job_with_checkpoints_is_told_where_they_are(tmp_path):
    write_config(tmp_path, build_request(), host=HOST, hosts=[HOST])
    assert not (tmp_path / "checkpointconfig.json").exists()
    request = build_request(CheckpointConfig={"S3Uri": "s3://b/k"})
    write_config(tmp_path, request, host=HOST, hosts=[HOST])
    assert (tmp_path / "checkpointconfig.json").read_text() == '{"LocalPath": "/opt/ml/checkpoints"}'


def test_a_channel_of_other_instance_groups_is_not_shown():
    routed = channel("train", source={"InstanceGroupNames": ["gpu"]})
    request = build_request(InputDataConfig=[routed, channel("validation")])
    assert list(build_input_data_config(request, HOST)) == ["validation"]
