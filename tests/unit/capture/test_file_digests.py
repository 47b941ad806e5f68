"""A digest is taken again without reading the file, and never once the file may have changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sm_remote.capture.file_digests import FileDigests
from sm_remote.capture.input_files import InputFile, list_files


class Clock:
    def __init__(self) -> None:
        self.ahead_s = 3600.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "x.bin"
    made.write_bytes(b"1234")
    return made


def look(path: Path) -> tuple[InputFile, ...]:
    return list_files("train", str(path), limit_bytes=100)


def test_what_was_remembered_is_found_by_another_process(path: Path, tmp_path: Path) -> None:
    digests = FileDigests(tmp_path / "cache" / "d.sqlite", clock=Clock())
    digests.remember(look(path)[0], "ab")
    digests.save()
    assert FileDigests(tmp_path / "cache" / "d.sqlite").find(look(path)) == {"x.bin": "ab"}
    assert (tmp_path / "cache" / "d.sqlite").stat().st_mode & 0o077 == 0


def test_a_file_that_was_written_to_is_not_found(path: Path, tmp_path: Path) -> None:
    digests = FileDigests(tmp_path / "d.sqlite", clock=Clock())
    before = path.stat()
    digests.remember(look(path)[0], "ab")
    digests.save()
    path.write_bytes(b"5678")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # its time of change gives it away
    assert digests.find(look(path)) == {}


def test_a_file_that_has_just_changed_is_not_remembered(path: Path, tmp_path: Path) -> None:
    clock = Clock()
    clock.ahead_s = 1.0
    digests = FileDigests(tmp_path / "d.sqlite", clock=clock)
    digests.remember(look(path)[0], "ab")
    digests.save()
    assert digests.find(look(path)) == {}


def test_a_cache_that_is_broken_costs_no_call(path: Path, tmp_path: Path) -> None:
    (tmp_path / "d.sqlite").write_bytes(b"no database" * 100)
    digests = FileDigests(tmp_path / "d.sqlite", clock=Clock())
    assert digests.find(look(path)) == {}
    digests.remember(look(path)[0], "ab")
    digests.save()
