"""Outputs: archives as SageMaker lays them out, single files, and links that lead out."""

from __future__ import annotations

import os
import tarfile

import pytest

from sm_remote.service.jobs.outputs import list_trees, publish_archive, publish_files
from sm_remote.service.storage.buckets import Buckets
from sm_remote.service.storage.local_bucket import LocalBucket
from sm_remote.service.storage.objects import ObjectError, ObjectUri

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


class TestSeveralHosts:
    """The trees of all hosts become one."""

    @pytest.fixture
    def hosts(self, tmp_path):
        trees = []
        for name in ("algo-1", "algo-2"):
            tree, _ = list_trees(tmp_path / name / "model", tmp_path / name / "data")
            tree.directory.mkdir(parents=True)
            trees.append(tree)
        return trees

    @pytest.fixture
    def stored(self, bucket_directory):
        def list_stored() -> dict[str, bytes]:
            base = bucket_directory / "jobs/fit/output/model"
            return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}

        return list_stored

    def write(self, tree, relative: str, text: str) -> None:
        path = tree.directory / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @pytest.mark.parametrize("archived", [True, False])
    def test_they_are_merged_and_the_first_one_wins_a_clash(
        self, hosts, home, bucket_directory, stored, tmp_path, archived
    ):
        self.write(hosts[0], "same", "first")
        self.write(hosts[1], "same", "last")
        self.write(hosts[0], "only-first/x", "1")
        self.write(hosts[1], "only-last/y", "2")
        self.write(hosts[0], "clash", "a file here")
        self.write(hosts[1], "clash/inner", "a directory there")
        self.write(hosts[0], "other/inner", "a directory here")
        self.write(hosts[1], "other", "a file there")
        wanted = {
            "same": b"first",
            "only-first/x": b"1",
            "only-last/y": b"2",
            "clash": b"a file here",
            "other/inner": b"a directory here",
        }
        if not archived:
            publish_files(hosts, LocalBucket(home), OUTPUT, lambda: None)
            assert stored() == wanted
            return
        publish_archive(hosts, LocalBucket(home), OUTPUT, tmp_path)
        with tarfile.open(bucket_directory / "jobs/fit/output/model.tar.gz") as archive:
            names = archive.getnames()
            assert names == sorted(names, key=lambda name: name.split("/"))
            files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
        assert files == wanted


def test_what_is_put_into_s3_is_encrypted_with_the_key_of_the_request(tmp_path, home):
    class Client:
        def __init__(self) -> None:
            self.put: list[tuple] = []

        def upload_file(self, *arguments, ExtraArgs):
            self.put.append((*arguments, ExtraArgs))

    client = Client()
    buckets = Buckets(home, lambda: client)
    (tmp_path / "w").write_text("w")
    uri = ObjectUri(bucket="b", key="k")
    buckets.find(uri, kms_key_id="alias/mine").publish(tmp_path / "w", "k")
    buckets.find(uri).publish(tmp_path / "w", "k")
    path = str(tmp_path / "w")
    assert client.put == [
        (path, "b", "k", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/mine"}),
        (path, "b", "k", {}),
    ]
