"""What is uploaded and deleted when, with the embedded store and a clock of the test's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_remote.service.checkpoints.ledger import CheckpointLedger, load_ledger
from sm_remote.service.checkpoints.sync import SETTLE_S, CheckpointPlaces, CheckpointSync
from sm_remote.service.storage.objects import ObjectError, parse_uri

INSIDE = "/opt/ml/checkpoints"


class Bench:
    """One host's checkpoints, synchronised step by step."""

    def __init__(self, directory: Path, bucket, stored: Path) -> None:
        self.now_s = 1000.0
        self.bucket = FailingBucket(bucket)
        self.directory = directory / "checkpoints"
        self.directory.mkdir(parents=True)
        self._stored = stored / "ckpt"
        self._ledger = directory / "ledger.json"
        CheckpointLedger(self._ledger, {}).save()
        self._scratch = directory / "scratch"
        self.reopen()

    def reopen(self) -> None:
        """As a restarted service does."""
        places = CheckpointPlaces(
            directory=self.directory,
            inside=INSIDE,
            bucket=self.bucket,
            uri=parse_uri("s3://sm-remote-local/ckpt"),
            scratch=self._scratch,
        )
        ledger = load_ledger(self._ledger)
        assert ledger is not None
        self.sync = CheckpointSync(places, ledger, lambda: self.now_s, lambda point: None)

    def write(self, relative: str, text: str = "x") -> Path:
        path = self.directory / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def look(self, after_s: float = 0.0) -> list[str]:
        self.now_s += after_s
        return self.sync.synchronise(lambda: True)

    def settle(self) -> list[str]:
        self.look()
        return self.look(SETTLE_S)

    def flush(self) -> list[str]:
        return self.sync.flush(lambda: True)

    @property
    def stored(self) -> dict[str, str]:
        files = [path for path in self._stored.rglob("*") if path.is_file()]
        return {str(path.relative_to(self._stored)): path.read_text() for path in files}

    @property
    def left_in_scratch(self) -> list[Path]:
        return list(self._scratch.iterdir()) if self._scratch.exists() else []


class FailingBucket:
    """The embedded store, which refuses what a test wants refused."""

    def __init__(self, bucket) -> None:
        self._bucket = bucket
        self.refused = ""
        self.before_publish = lambda: None
        self.published: list[str] = []

    def list_keys(self, prefix: str) -> Iterator[str]:
        return self._bucket.list_keys(prefix)

    def publish(self, source: Path, key: str) -> None:
        if self.refused and self.refused in key:
            raise ObjectError(f"{key}: Access Denied")
        self.before_publish()
        self.published.append(key)
        self._bucket.publish(source, key)

    def delete(self, key: str) -> None:
        if self.refused and self.refused in key:
            raise ObjectError(f"{key}: Access Denied")
        self._bucket.delete(key)


@pytest.fixture
def bench(tmp_path, home, buckets, bucket_directory):
    # On the store's own filesystem, as working trees are.
    return Bench(home.jobs, buckets.find(parse_uri("s3://sm-remote-local/x")), bucket_directory)


def test_a_file_is_uploaded_once_it_has_stood_still(bench):
    bench.write("a.pt", "one")
    assert bench.look() == []
    bench.look(SETTLE_S - 0.1)
    assert bench.stored == {}
    bench.look(0.1)
    assert bench.stored == {"a.pt": "one"}


def test_a_file_that_goes_on_growing_is_not_uploaded(bench):
    for number in range(5):
        bench.write("a.pt", "x" * number)
        bench.look(SETTLE_S)
        assert bench.stored == {}


def test_a_changed_file_is_uploaded_again_and_an_unchanged_one_is_not(bench):
    bench.write("a.pt", "one")
    bench.write("b.pt", "b")
    bench.settle()
    bench.write("a.pt", "three")
    bench.settle()
    assert bench.stored == {"a.pt": "three", "b.pt": "b"}
    assert sorted(bench.bucket.published) == ["ckpt/a.pt", "ckpt/a.pt", "ckpt/b.pt"]


def test_what_was_uploaded_does_not_change_when_the_job_goes_on_writing_into_the_same_file(bench):
    path = bench.write("a.pt", "one")
    bench.settle()
    with path.open("r+") as file:
        file.write("TWO")
    assert bench.stored == {"a.pt": "one"}
    assert path.read_text() == "TWO"


def test_a_deleted_file_is_deleted_from_s3(bench):
    bench.write("deep/er/a.pt")
    bench.write("b.pt")
    bench.settle()
    shutil.rmtree(bench.directory / "deep")
    bench.settle()
    assert list(bench.stored) == ["b.pt"]


def test_a_file_that_takes_the_name_of_a_directory_and_back_is_uploaded(bench):
    bench.write("a/b", "deep")
    bench.settle()
    shutil.rmtree(bench.directory / "a")
    bench.write("a", "flat")
    bench.settle()
    assert bench.stored == {"a": "flat"}
    (bench.directory / "a").unlink()
    bench.write("a/b", "deep")
    bench.settle()
    assert bench.stored == {"a/b": "deep"}


def test_what_this_host_never_had_is_never_deleted(bench, put):
    put("ckpt/of-another-host.pt", b"y")
    bench.write("a.pt", "x")
    bench.settle()
    bench.flush()
    assert bench.stored == {"of-another-host.pt": "y", "a.pt": "x"}


@pytest.mark.parametrize("suffix", [".sagemaker-uploading", ".sagemaker-uploaded", ".sagemaker-ignore"])
def test_markers_and_ignored_files_are_neither_uploaded_nor_deleted(bench, put, suffix):
    put(f"ckpt/stored{suffix}", b"y")
    bench.write(f"a.pt{suffix}")
    bench.settle()
    bench.flush()
    assert list(bench.stored) == [f"stored{suffix}"]


def test_nothing_in_an_ignored_directory_is_uploaded_and_all_of_it_is_once_it_has_its_final_name(bench):
    for name in ("next.sagemaker-ignore/a.pt", "next.sagemaker-ignore/deep/b.pt", "run/x.sagemaker-ignore/c.pt"):
        bench.write(name, "whole")
    bench.settle()
    bench.flush()
    assert bench.stored == {}
    (bench.directory / "next.sagemaker-ignore").rename(bench.directory / "step-1")
    bench.settle()
    assert bench.stored == {"step-1/a.pt": "whole", "step-1/deep/b.pt": "whole"}


def test_a_temporary_name_that_is_ignored_is_uploaded_under_its_final_one(bench):
    path = bench.write("tmp1.sagemaker-ignore", "whole")
    bench.settle()
    path.rename(bench.directory / "xgboost-checkpoint.1")
    bench.settle()
    assert bench.stored == {"xgboost-checkpoint.1": "whole"}


def test_markers_say_how_far_an_upload_is_and_go_with_their_file(bench):
    path = bench.write("a.pt")
    seen = []
    bench.bucket.before_publish = lambda: seen.extend(each.name for each in bench.directory.iterdir())
    bench.settle()
    assert sorted(seen) == ["a.pt", "a.pt.sagemaker-uploading"]
    assert sorted(each.name for each in bench.directory.iterdir()) == ["a.pt", "a.pt.sagemaker-uploaded"]
    path.unlink()
    bench.settle()
    assert list(bench.directory.iterdir()) == []


def test_a_file_that_is_still_open_is_given_more_time(bench):
    with bench.write("log").open("a") as file:
        bench.settle()
        assert bench.stored == {}
        bench.look(30.0)
        assert bench.stored == {"log": "x"}
        file.write("y")
    bench.settle()
    assert bench.stored == {"log": "xy"}


def test_a_file_that_changes_before_it_is_copied_is_left_for_later(bench):
    path = bench.write("a.pt", "one")
    bench.look()
    bench.now_s += SETTLE_S
    # Asked right before each copy.
    assert bench.sync.synchronise(lambda: bool(path.write_text("half of it"))) == []
    assert bench.stored == {}
    assert bench.left_in_scratch == []
    bench.settle()
    assert bench.stored == {"a.pt": "half of it"}


def test_a_flush_uploads_and_deletes_at_once(bench):
    bench.write("old.pt")
    bench.settle()
    (bench.directory / "old.pt").unlink()
    bench.write("new.pt", "new")
    assert bench.flush() == []
    assert bench.stored == {"new.pt": "new"}
    assert bench.flush() == []
    assert bench.bucket.published.count("ckpt/new.pt") == 1


def test_a_refused_upload_is_told_and_tried_again(bench):
    bench.bucket.refused = "a.pt"
    bench.write("a.pt", "x")
    bench.write("b.pt", "y")
    assert bench.settle() == ["ckpt/a.pt: Access Denied"]
    assert bench.stored == {"b.pt": "y"}
    assert not (bench.directory / "a.pt.sagemaker-uploading").exists()
    bench.bucket.refused = ""
    assert bench.look() == []
    assert bench.stored == {"a.pt": "x", "b.pt": "y"}


def test_a_restarted_service_uploads_nothing_twice_and_resurrects_nothing(bench):
    bench.write("kept.pt")
    bench.write("deleted.pt")
    bench.settle()
    (bench.directory / "deleted.pt").unlink()
    bench.reopen()
    bench.settle()
    assert list(bench.stored) == ["kept.pt"]
    assert sorted(bench.bucket.published) == ["ckpt/deleted.pt", "ckpt/kept.pt"]


def test_a_service_that_dies_between_an_upload_and_its_note_deletes_the_object_later(bench):
    class DiedError(BaseException):
        pass

    def die() -> None:
        raise DiedError

    path = bench.write("a.pt")
    bench.look()
    publish = bench.bucket._bucket.publish
    bench.bucket.publish = lambda source, key: (publish(source, key), die())
    with pytest.raises(DiedError):
        bench.look(SETTLE_S)
    assert list(bench.stored) == ["a.pt"]
    del bench.bucket.publish
    path.unlink()
    bench.reopen()
    bench.settle()
    assert bench.stored == {}


def test_nothing_is_deleted_when_the_directory_cannot_be_read(bench):
    bench.write("a.pt")
    bench.settle()
    bench.directory.rename(bench.directory.with_name("away"))
    assert bench.settle() == [f"{INSIDE}/.: No such file or directory"]
    assert list(bench.stored) == ["a.pt"]


def test_a_link_is_stored_as_the_file_that_it_means_and_never_leads_out(bench, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    bench.write("epoch-2.pt", "two")
    (bench.directory / "latest.pt").symlink_to("epoch-2.pt")
    (bench.directory / "stolen").symlink_to(secret)
    (bench.directory / "stolen-directory").symlink_to(tmp_path)
    bench.settle()
    bench.flush()
    assert bench.stored == {"epoch-2.pt": "two", "latest.pt": "two"}


def test_a_file_that_was_swapped_for_a_link_is_not_uploaded(bench, tmp_path):
    path = bench.write("a.pt", "mine")
    bench.look()
    (tmp_path / "secret").write_text("secret")

    def swap() -> bool:
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return True

    bench.now_s += SETTLE_S
    assert len(bench.sync.synchronise(swap)) == 1
    assert bench.stored == {}


def test_the_rest_is_left_when_there_is_no_time(bench):
    bench.write("a.pt")
    assert bench.sync.flush(lambda: False) == []
    assert bench.stored == {}


def test_a_file_without_content_is_a_checkpoint_too(bench):
    bench.write("done", "")
    bench.settle()
    assert bench.stored == {"done": ""}


def test_a_file_of_another_user_that_cannot_be_read_is_told(bench):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    bench.write("a.pt").chmod(0)
    assert bench.settle() == [f"{INSIDE}/a.pt: Permission denied"]
