"""What a channel's pipe carries in an epoch, out of the embedded store."""

from __future__ import annotations

import gzip
import json

import pytest

from sm_remote.service.channels.pipe_content import PipeContent
from sm_remote.service.channels.shards import Shard
from sm_remote.service.storage.objects import ObjectError
from tests.unit.service.channels.test_record_io import read_records

WHOLE = Shard(index=0, count=1)


@pytest.fixture
def read(buckets):
    def read_epoch(epoch: int = 0, shard: Shard = WHOLE, source=None, **members) -> bytes:
        source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/d/", **(source or {})}
        channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}, **members}
        return b"".join(PipeContent(channel, shard, buckets).read_epoch(epoch))

    return read_epoch


def test_objects_follow_each_other_in_the_order_of_their_keys(put, read):
    for name in ("b", "a", "c/d"):
        put(f"d/{name}", name.encode())
    assert read() == b"abc/d"
    assert read(epoch=3) == b"abc/d"


def test_gzip_is_decompressed(put, read):
    put("d/a.gz", gzip.compress(b"one"))
    put("d/b.gz", gzip.compress(b"two"))
    assert read(CompressionType="Gzip") == b"onetwo"
    assert read(CompressionType="None") != b"onetwo"


def test_each_object_becomes_a_record(put, read):
    put("d/a", b"one")
    put("d/b", b"")
    put("d/c", b"three")
    assert read_records(read(RecordWrapperType="RecordIO")) == [b"one", b"", b"three"]


def test_a_compressed_object_becomes_a_record_of_its_content(put, read):
    put("d/a.gz", gzip.compress(b"x" * 1000))
    assert read_records(read(RecordWrapperType="RecordIO", CompressionType="Gzip")) == [b"x" * 1000]


def test_an_augmented_manifests_attributes_follow_each_other_record_by_record(put, read):
    put("pictures/1.png", b"PNG1")
    put("pictures/2.png", b"PNG2")
    lines = [
        {"source-ref": f"s3://sm-remote-local/pictures/{n}.png", "label": {"class": n}, "left-out": 1} for n in (1, 2)
    ]
    put("d/m.jsonl", "\n".join(map(json.dumps, lines)).encode())
    source = {
        "S3DataType": "AugmentedManifestFile",
        "S3Uri": "s3://sm-remote-local/d/m.jsonl",
        "AttributeNames": ["source-ref", "label"],
    }
    found = read_records(read(source=source, RecordWrapperType="RecordIO"))
    assert found == [b"PNG1", b'{"class":1}', b"PNG2", b'{"class":2}']
    second = read(source=source, shard=Shard(index=1, count=2), RecordWrapperType="RecordIO")
    assert read_records(second) == found[2:]


def test_a_manifests_objects_come_in_its_order(put, read):
    put("x/a", b"a")
    put("x/b", b"b")
    put("m", json.dumps([{"prefix": "s3://sm-remote-local/x/"}, "b", "a"]).encode())
    assert read(source={"S3DataType": "ManifestFile", "S3Uri": "s3://sm-remote-local/m"}) == b"ba"


def test_a_seed_gives_each_epoch_an_order_of_its_own(put, read):
    for number in range(10):
        put(f"d/{number}", str(number).encode())
    shuffled = Shard(index=0, count=1, seed=5)
    first, second = read(0, shuffled), read(1, shuffled)
    assert sorted(first) == sorted(second) == sorted(b"0123456789")
    assert first != second
    assert read(0, shuffled) == first


def test_an_object_that_is_not_what_it_is_said_to_be_is_named(put, read):
    put("d/a", b"plain")
    with pytest.raises(ObjectError, match=r"s3://sm-remote-local/d/a: it is not gzip"):
        read(CompressionType="Gzip")


def test_an_object_that_vanishes_is_named(put, buckets):
    path = put("d/a")
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://sm-remote-local/d/"}
    content = PipeContent({"ChannelName": "c", "DataSource": {"S3DataSource": source}}, WHOLE, buckets)
    path.unlink()
    with pytest.raises(ObjectError, match=r"sm-remote-local/d/a"):
        list(content.read_epoch(0))
