"""The companion that restores, synchronises and flushes checkpoints, with the embedded store."""

from __future__ import annotations

import os
import stat

import pytest

from sm_remote.service.checkpoints.companion import build_checkpoints
from sm_remote.service.checkpoints.config import find_local_path
from sm_remote.service.hosts.working_tree import find_tree
from sm_remote.service.storage.objects import ObjectError
from tests.fakes.service import wait_until

REQUEST = {"CheckpointConfig": {"S3Uri": "s3://sm-remote-local/ckpt/"}}


@pytest.fixture
def tree(home):
    made = find_tree(home, "fit-1", 1, "algo-1")
    made.create()
    return made


@pytest.fixture
def build(tree, buckets):
    said: list[str] = []

    def build_one():
        (companion,) = build_checkpoints(REQUEST, tree, buckets, said.append, lambda point: None)
        companion.said = said
        return companion

    return build_one


@pytest.fixture
def stored(bucket_directory):
    def list_stored():
        files = [path for path in (bucket_directory / "ckpt").rglob("*") if path.is_file()]
        return {str(path.relative_to(bucket_directory / "ckpt")): path.read_bytes() for path in files}

    return list_stored


def go_on() -> None:
    """Nothing stands in the way."""


def test_a_job_without_a_config_has_none(tree, buckets):
    assert build_checkpoints({}, tree, buckets, print, print) == ()


def test_everything_below_the_uri_is_restored_as_files_that_may_be_written(build, put, tree):
    original = put("ckpt/epoch-1/model.pt", b"one")
    put("ckpt/log", b"")
    put("ckpt-of-another-job/x")
    companion = build()
    companion.prepare(go_on)
    restored = tree.checkpoints / "epoch-1" / "model.pt"
    assert restored.read_bytes() == b"one"
    assert sorted(path.name for path in tree.checkpoints.iterdir()) == ["epoch-1", "log"]
    assert stat.S_IMODE(restored.stat().st_mode) == 0o666
    assert stat.S_IMODE(restored.parent.stat().st_mode) == 0o777
    with restored.open("r+") as file:
        file.write("two")
    assert original.read_bytes() == b"one"
    (mount,) = companion.mounts
    assert (mount.source, mount.target, mount.read_only) == (tree.checkpoints, "/opt/ml/checkpoints", False)


def test_what_was_restored_is_not_uploaded_again(build, put, bucket_directory):
    original = put("ckpt/a.pt", b"one")
    before = original.stat()
    companion = build()
    companion.prepare(go_on)
    companion.finish()
    after = original.stat()  # restoring has read it: the time of access may be another
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_restored_file_that_the_job_deletes_is_deleted(build, put, tree, stored):
    put("ckpt/a.pt")
    put("ckpt/b.pt")
    companion = build()
    companion.prepare(go_on)
    (tree.checkpoints / "a.pt").unlink()
    companion.finish()
    assert list(stored()) == ["b.pt"]


def test_the_end_of_the_container_flushes_and_may_be_told_twice(build, tree, stored):
    companion = build()
    companion.prepare(go_on)
    companion.start()
    (tree.checkpoints / "a.pt").write_bytes(b"one")
    companion.finish()
    assert stored() == {"a.pt": b"one"}
    (tree.checkpoints / "b.pt").write_bytes(b"written while the container ended")
    companion.finish()
    assert sorted(stored()) == ["a.pt", "b.pt"]


@pytest.mark.slow
def test_a_running_job_is_synchronised_and_a_restarted_service_goes_on(build, tree, stored):
    first = build()
    first.prepare(go_on)
    first.start()
    (tree.checkpoints / "a.pt").write_bytes(b"one")
    wait_until(lambda: stored() == {"a.pt": b"one"})
    first._ended.set()  # as if its process were gone
    adopted = build()
    adopted.start()
    (tree.checkpoints / "a.pt").unlink()
    (tree.checkpoints / "b.pt").write_bytes(b"two")
    wait_until(lambda: stored() == {"b.pt": b"two"})
    adopted.finish()


def test_a_restoring_that_was_broken_off_touches_nothing(build, put, stored):
    put("ckpt/a.pt")
    put("ckpt/b.pt")

    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    companion = build()
    with pytest.raises(StoppedError):
        companion.prepare(stop)
    companion.start()
    companion.finish()
    assert sorted(stored()) == ["a.pt", "b.pt"]


@pytest.mark.parametrize("key", ["../../x", "a/../../x", "./x"])
def test_a_key_that_cannot_be_a_file_is_an_error_that_names_it(build, tree, key):
    companion = build()
    listed = companion._places.bucket

    class OddBucket:
        def __getattr__(self, name):
            return getattr(listed, name)

        def list_keys(self, prefix):
            yield prefix + key

    object.__setattr__(companion._places, "bucket", OddBucket())
    with pytest.raises(ObjectError, match="cannot be the name of a file"):
        companion.prepare(go_on)


def test_an_object_that_vanishes_meanwhile_fails_the_restoring(build, put):
    path = put("ckpt/a.pt")
    companion = build()
    with pytest.raises(ObjectError, match=r"ckpt/a\.pt"):
        companion.prepare(lambda: path.unlink(missing_ok=True))


def test_a_flush_that_fails_is_tried_again_and_says_why(build, tree, bucket_directory):
    waits: list[float] = []
    companion = build()
    companion.prepare(go_on)
    (tree.checkpoints / "a.pt").write_bytes(b"one")
    companion._sleep = waits.append
    (bucket_directory / "ckpt").write_text("an object where a directory should be")
    with pytest.raises(ObjectError, match=r"checkpoints: .*sm-remote-local/ckpt/a\.pt"):
        companion.finish()
    assert waits == [0.0, 1.0, 1.0]


def test_a_local_path_is_where_the_request_says():
    assert find_local_path({}) == "/opt/ml/checkpoints"
    assert find_local_path({"LocalPath": "/opt/ml/local//ckpt/"}) == "/opt/ml/local/ckpt"


def test_a_restored_file_belongs_to_whoever_runs_the_service(build, put, tree):
    put("ckpt/a.pt")
    build().prepare(go_on)
    assert (tree.checkpoints / "a.pt").stat().st_uid == os.geteuid()
