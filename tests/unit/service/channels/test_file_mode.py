"""Channels in File mode, out of the embedded store."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from sm_remote.service.channels.file_mode import find_channel_mounts, stage_channels
from sm_remote.service.hosts.host import Host, list_hosts
from sm_remote.service.storage.objects import ObjectError
from tests.fakes.service import build_request

HOST = Host(name="algo-1", instance_type="ml.m5.large")
ROOT = "s3://sm-remote-local/data"


@pytest.fixture
def stage(tmp_path, buckets):
    def stage_channel(uri: str, data_type: str = "S3Prefix", **members) -> dict[str, bytes]:
        source = {"S3DataType": data_type, "S3Uri": uri, **members}
        request = build_request(InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}])
        directory = tmp_path / "data"
        directory.mkdir()
        stage_channels(request, HOST, directory, buckets, lambda: None, print)
        files = [path for path in (directory / "train").rglob("*") if path.is_file()]
        return {str(path.relative_to(directory / "train")): path.read_bytes() for path in files}

    return stage_channel


def test_everything_below_a_prefix_arrives_under_its_own_path(put, stage):
    put("data/train/a.csv", b"a")
    put("data/train/deep/er/b.csv", b"b")
    put("data/other/c.csv")
    assert stage(f"{ROOT}/train/") == {"a.csv": b"a", "deep/er/b.csv": b"b"}


def test_a_prefix_is_the_start_of_a_key_and_not_a_directory(put, stage):
    put("data/train-1.csv", b"1")
    put("data/train-2/x.csv", b"2")
    put("data/test.csv")
    assert stage(f"{ROOT}/train") == {"train-1.csv": b"1", "train-2/x.csv": b"2"}


def test_a_single_object_arrives_under_its_own_name(put, stage):
    put("data/train/a.csv", b"a")
    assert stage(f"{ROOT}/train/a.csv") == {"a.csv": b"a"}


def test_a_manifests_objects_arrive_under_their_paths(put, stage):
    put("elsewhere/a", b"a")
    put("elsewhere/sub/b", b"b")
    put("data/m.manifest", json.dumps([{"prefix": "s3://sm-remote-local/elsewhere/"}, "a", "sub/b"]).encode())
    assert stage(f"{ROOT}/m.manifest", "ManifestFile") == {"a": b"a", "sub/b": b"b"}


def test_what_was_downloaded_is_listed_beside_the_channel(put, stage, tmp_path):
    put("data/train/a.csv")
    put("data/train/deep/b.csv")
    stage(f"{ROOT}/train/")
    listed = json.loads((tmp_path / "data" / "train-manifest").read_text())
    assert listed == [{"prefix": "/opt/ml/input/data/train/"}, "a.csv", "deep/b.csv"]


def test_an_augmented_manifest_arrives_with_the_objects_that_it_refers_to(put, stage):
    put("pictures/cat.png", b"cat")
    put("pictures/not-referred-to.png")
    line = json.dumps({"source-ref": "s3://sm-remote-local/pictures/cat.png", "class": 3, "other-ref": "s3://b/k"})
    put("data/m.jsonl", f"{line}\n{line}\n".encode())
    names = ["source-ref", "class"]
    found = stage(f"{ROOT}/m.jsonl", "AugmentedManifestFile", AttributeNames=names)
    assert sorted(found) == ["m.jsonl", "pictures/cat.png"]


def test_a_sharded_channel_is_dealt_out_to_the_hosts_of_its_groups(put, buckets, tmp_path):
    for number in range(5):
        put(f"data/train/{number}")
    groups = [
        {"InstanceGroupName": "other", "InstanceType": "ml.m5.large", "InstanceCount": 1},
        {"InstanceGroupName": "data", "InstanceType": "ml.m5.large", "InstanceCount": 2},
    ]
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{ROOT}/train/", "S3DataDistributionType": "ShardedByS3Key"}
    source["InstanceGroupNames"] = ["data"]
    request = build_request(InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}])
    request["ResourceConfig"] = {"InstanceGroups": groups}
    found = {}
    for host in list_hosts(request):
        directory = tmp_path / host.name
        directory.mkdir()
        stage_channels(request, host, directory, buckets, lambda: None, print)
        found[host.name] = sorted(path.name for path in directory.glob("train/*"))
    assert found == {"algo-1": [], "algo-2": ["0", "2", "4"], "algo-3": ["1", "3"]}
    assert not (tmp_path / "algo-1" / "train").exists()


def test_every_one_of_twenty_channels_arrives(put, buckets, tmp_path):
    put("data/a.csv")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{ROOT}/a.csv"}
    channels = [{"ChannelName": f"c{n}", "DataSource": {"S3DataSource": source}} for n in range(20)]
    stage_channels(build_request(InputDataConfig=channels), HOST, tmp_path, buckets, lambda: None, print)
    assert len(list(tmp_path.glob("*/a.csv"))) == 20


def test_a_name_with_every_nasty_character_arrives(put, stage):
    put("data/train/ä ö'\"\n☃.csv", b"x")
    assert stage(f"{ROOT}/train/") == {"ä ö'\"\n☃.csv": b"x"}


def test_objects_are_linked_and_not_copied(put, stage, tmp_path):
    original = put("data/train/a.csv")
    stage(f"{ROOT}/train/")
    assert os.stat(tmp_path / "data" / "train" / "a.csv").st_ino == original.stat().st_ino


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{}",
        b"[]",
        b'["a"]',
        b'[{"prefix": 5}]',
        b'[{"prefix": "s3://sm-remote-local/x/"}, 5]',
        b'[{"prefix": "s3://sm-remote-local/x/"}, "not there"]',
        b'[{"prefix": "s3://sm-remote-local/x/"}, "../../../../etc/passwd"]',
        b'[{"prefix": "s3://sm-remote-local/x/"}, "/etc/passwd"]',
        b'[{"prefix": "s3://sm-remote-local/../../"}, "a"]',
        b'[{"prefix": "file:///etc/"}, "passwd"]',
        b'[{"prefix": "s3://sm-remote-local/x/"}, ""]',
        b"[" * 100_000,
    ],
)
def test_a_manifest_that_is_wrong_or_leads_out_is_refused(put, stage, tmp_path, manifest):
    put("data/m.manifest", manifest)
    with pytest.raises(ObjectError):
        stage(f"{ROOT}/m.manifest", "ManifestFile")
    assert list((tmp_path / "data").rglob("passwd")) == []


def test_a_manifest_that_is_not_there_is_named(stage):
    with pytest.raises(ObjectError, match="none"):
        stage(f"{ROOT}/none.manifest", "ManifestFile")


def test_a_sealed_layer_is_mounted_and_not_linked_file_by_file(put, bucket_directory, buckets, tmp_path):
    put("sm_remote/layers/abc/numpy/__init__.py")
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/sm_remote/layers/abc/"}
    channel = {"ChannelName": "sm_remote_layer", "DataSource": {"S3DataSource": source}}
    request = build_request(InputDataConfig=[channel])
    stage_channels(request, HOST, tmp_path, buckets, lambda: None, print)
    assert list((tmp_path / "sm_remote_layer").iterdir()) == []
    (mount,) = find_channel_mounts(request, HOST, tmp_path, buckets)
    assert mount.source == bucket_directory / "sm_remote/layers/abc"
    assert (mount.target, mount.read_only) == ("/opt/ml/input/data/sm_remote_layer", True)


def channel(name: str, uri: str, kind: str = "S3Prefix", **more: str) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}, **more}


def test_what_may_be_links_is_read_only_and_what_was_downloaded_is_not(buckets, tmp_path):
    """The SDK v3 makes its driver, in a channel of its own, executable."""
    channels = [
        channel("links", f"{ROOT}/train/"),
        channel("copies", "s3://a-bucket/train/"),
        channel("manifest", "s3://a-bucket/m.manifest", "ManifestFile"),
        channel("pipe", f"{ROOT}/train/", InputMode="Pipe"),
    ]
    found = find_channel_mounts(build_request(InputDataConfig=channels), HOST, tmp_path, buckets)
    assert [(mount.target, mount.source, mount.read_only) for mount in found] == [
        ("/opt/ml/input/data/links", tmp_path / "links", True),
        ("/opt/ml/input/data/manifest", tmp_path / "manifest", True),
    ]


@pytest.mark.parametrize("prefix", ["data/train", "data/train/"])
def test_a_folder_stands_for_itself_with_and_without_its_last_slash(put, stage, prefix):
    """Source: the SageMaker SDKs name the folder of their own drivers without one."""
    put("data/train/a/b", b"x")
    assert stage(f"s3://sm-remote-local/{prefix}") == {"a/b": b"x"}


def test_a_stop_ends_the_staging_between_two_objects(put, buckets, tmp_path):
    for number in range(5):
        put(f"data/train/{number}")
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{ROOT}/train/"}
    request = build_request(InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}])
    calls = []

    def go_on() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage_channels(request, HOST, tmp_path, buckets, go_on, print)
    assert len(list((tmp_path / "train").iterdir())) == 2
