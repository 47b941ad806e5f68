"""Files that a container may change while they are read."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from sm_remote.service.checkpoints.job_files import (
    is_file_there,
    is_open_for_writing,
    open_file,
    read_stamp,
    scan_tree,
)

INSIDE = "/opt/ml/checkpoints"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    directory = tmp_path / "tree"
    directory.mkdir()
    return directory


def write(tree: Path, relative: str, text: str = "x") -> Path:
    path = tree / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_all_regular_files_are_found_under_their_paths(tree):
    for relative in ("a", "deep/er/b", "ä ö'\"\n☃", "deep/c d"):
        write(tree, relative)
    os.mkfifo(tree / "pipe")
    assert sorted(scan_tree(tree, INSIDE).files) == sorted(["a", "deep/er/b", "ä ö'\"\n☃", "deep/c d"])


@pytest.mark.parametrize("target", ["epoch-2.pt", "./epoch-2.pt", f"{INSIDE}/epoch-2.pt"])
def test_a_link_to_a_file_of_the_tree_is_read_as_that_file(tree, target):
    write(tree, "epoch-2.pt", "two")
    (tree / "latest.pt").symlink_to(target)
    found = scan_tree(tree, INSIDE).files["latest.pt"]
    with open_file(tree, found.source) as descriptor:
        assert os.read(descriptor, 10) == b"two"
        assert read_stamp(descriptor) == found.stamp


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "nothing", "loop", "directory", f"{INSIDE}/../../x"])
def test_a_link_to_anything_else_is_left_out_and_named(tree, tmp_path, target):
    write(tmp_path, "outside")
    write(tree, "directory/file")
    (tree / "loop").symlink_to(target)
    scan = scan_tree(tree, INSIDE)
    assert sorted(scan.files) == ["directory/file"]
    assert list(scan.skipped) == ["loop"]


def test_no_link_is_followed_on_the_way_to_a_file(tree, tmp_path):
    write(tmp_path / "elsewhere", "secret")
    (tree / "directory").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), open_file(tree, "directory/secret"):
        pass
    assert not is_file_there(tree, "directory/secret")


def test_a_pipe_in_a_files_place_blocks_nobody(tree):
    os.mkfifo(tree / "a")
    with open_file(tree, "a") as descriptor, pytest.raises(FileNotFoundError):
        read_stamp(descriptor)


def test_a_name_that_is_no_text_is_left_out_and_named(tree):
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff")).write_text("x")
    scan = scan_tree(tree, INSIDE)
    assert scan.files == {}
    assert list(scan.skipped.values()) == ["its name is not UTF-8"]


def test_nothing_is_known_about_a_tree_that_is_not_there(tree):
    scan = scan_tree(tree / "missing", INSIDE)
    assert not scan.knows_about("a")
    assert not scan.knows_about("b/c")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_nothing_is_known_about_what_lies_below_an_unreadable_directory(tree):
    write(tree, "closed/a")
    (tree / "closed").chmod(0)
    scan = scan_tree(tree, INSIDE)
    (tree / "closed").chmod(0o700)
    assert not scan.knows_about("closed/a")
    assert scan.knows_about("open")


def test_a_file_that_was_rewritten_with_its_old_size_and_time_has_another_stamp(tree):
    path = write(tree, "a", "one")
    before = scan_tree(tree, INSIDE).files["a"].stamp
    times = path.stat()
    while scan_tree(tree, INSIDE).files["a"].stamp.ctime_ns == before.ctime_ns:  # the clock of inodes is coarse
        path.write_text("two")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = scan_tree(tree, INSIDE).files["a"].stamp
    assert (after.size_bytes, after.mtime_ns) == (before.size_bytes, before.mtime_ns)
    assert after != before


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="leases are Linux's")
def test_a_file_that_somebody_still_writes_to_is_recognised(tree):
    path = write(tree, "a")
    with open_file(tree, "a") as descriptor:
        assert not is_open_for_writing(descriptor)
        with path.open("a"):
            assert is_open_for_writing(descriptor)
        assert not is_open_for_writing(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="leases are Linux's")
def test_looking_whether_a_file_is_written_to_hinders_nobody(tree):
    path = write(tree, "a")
    with open_file(tree, "a") as descriptor:
        assert not is_open_for_writing(descriptor)
        with path.open("a") as file:  # would block for as long as a lease were held
            file.write("y")


def test_directories_that_are_nested_without_end_cost_neither_descriptors_nor_the_scan(tree):
    descriptor = os.open(tree, os.O_RDONLY)
    for _ in range(600):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    (tree / "z.pt").write_text("whole")
    scan = scan_tree(tree, INSIDE)
    assert list(scan.files) == ["z.pt"]
    (path, why) = next(iter(scan.unreadable.items()))
    assert path == "/".join(["d"] * 101)
    assert "100 directories" in why
