"""Outputs: archives as SageMaker lays them out, single files, and links that lead out."""

from __future__ import annotations

import os
import tarfile

import pytest

from sm_remote.service.local_bucket import LocalBucket
from sm_remote.service.objects import ObjectError, ObjectUri
from sm_remote.service.outputs import list_trees, publish_archive, publish_files

OUTPUT = ObjectUri(bucket="sm-remote-local", key="jobs/fit/output")


@pytest.fixture
def model(tmp_path):
    tree, _ = list_trees(tmp_path / "model", tmp_path / "output" / "data")
    tree.directory.mkdir()
    return tree


@pytest.fixture
def archive(model, home, bucket_directory, tmp_path):
    def make() -> tarfile.TarFile | None:
        publish_archive([model], LocalBucket(home), OUTPUT, tmp_path)
        path = bucket_directory / "jobs/fit/output/model.tar.gz"
        return tarfile.open(path) if path.exists() else None

    return make


@pytest.fixture
def files(model, home, bucket_directory):
    def make() -> dict[str, bytes]:
        publish_files([model], LocalBucket(home), OUTPUT, lambda: None)
        base = bucket_directory / "jobs/fit/output/model"
        return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}

    return make


def test_an_archive_holds_the_trees_contents_at_its_root(model, archive):
    (model.directory / "sub").mkdir()
    (model.directory / "sub" / "b.bin").write_bytes(b"b")
    (model.directory / "a.bin").write_bytes(b"a")
    with archive() as made:
        assert made.getnames() == ["a.bin", "sub", "sub/b.bin"]
        assert made.extractfile("sub/b.bin").read() == b"b"


def test_an_empty_tree_gives_no_archive(archive):
    assert archive() is None


def test_a_tree_that_is_not_there_gives_no_archive(model, archive):
    model.directory.rmdir()
    assert archive() is None


def test_a_link_within_the_tree_stays_a_link_in_an_archive(model, archive):
    (model.directory / "checkpoint-2").mkdir()
    (model.directory / "checkpoint-2" / "w").write_bytes(b"2")
    (model.directory / "latest").symlink_to("checkpoint-2")
    (model.directory / "absolute").symlink_to("/opt/ml/model/checkpoint-2/w")
    with archive() as made:
        assert made.getmember("latest").linkname == "checkpoint-2"
        assert made.getmember("absolute").linkname == "checkpoint-2/w"


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../secret", "../model/../../secret", "a/../../b", "/opt/ml/modelx"]
)
@pytest.mark.parametrize("how", ["archive", "files"])
def test_a_link_out_of_the_tree_is_refused(model, how, target, request, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (model.directory / "x").symlink_to(target)
    with pytest.raises(ObjectError, match="outside of /opt/ml/model"):
        request.getfixturevalue(how)()


def test_a_link_through_a_link_out_of_the_tree_is_refused(model, archive, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (model.directory / "sub").mkdir()
    (model.directory / "sub" / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ObjectError, match="outside"):
        archive()


def test_single_files_keep_their_paths_and_their_content(model, files):
    (model.directory / "sub").mkdir()
    (model.directory / "sub" / "b.bin").write_bytes(b"b")
    (model.directory / "a.bin").write_bytes(b"a")
    assert files() == {"a.bin": b"a", "sub/b.bin": b"b"}


def test_single_files_cannot_be_written_any_more(model, files, bucket_directory):
    (model.directory / "a.bin").write_bytes(b"a")
    files()
    assert os.stat(bucket_directory / "jobs/fit/output/model/a.bin").st_mode & 0o777 == 0o444


def test_a_link_to_a_file_becomes_the_file(model, files):
    (model.directory / "a.bin").write_bytes(b"a")
    (model.directory / "same").symlink_to("a.bin")
    (model.directory / "dir").mkdir()
    (model.directory / "dirlink").symlink_to("dir")
    assert files() == {"a.bin": b"a", "same": b"a"}


def test_pipes_and_sockets_are_passed_over(model, files, archive):
    os.mkfifo(model.directory / "pipe")
    (model.directory / "a").write_bytes(b"a")
    with archive() as made:
        assert made.getnames() == ["a"]
    assert files() == {"a": b"a"}


def test_collecting_a_second_time_collects_what_is_left(model, files):
    (model.directory / "a").write_bytes(b"a")
    files()
    (model.directory / "b").write_bytes(b"b")
    assert files() == {"a": b"a", "b": b"b"}
