"""An archive out of a container writes plain files below its directory, or nothing."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from sm_remote.errors import StorageError
from sm_remote.jobs.artifacts.archive import extract_archive


def write_archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def build_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    member.size = 1 if kind == tarfile.REGTYPE else 0
    return member


def test_files_and_directories_are_extracted_and_ours_left_out(tmp_path: Path) -> None:
    members = [build_member("deep", tarfile.DIRTYPE), build_member("deep/a"), build_member("./b")]
    members.append(build_member("sm_remote/outcome"))
    archive = write_archive(tmp_path / "a.tar.gz", *members)
    assert extract_archive(archive, tmp_path / "out", leave_out="sm_remote") == 2
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*"))
    assert found == ["b", "deep", "deep/a"]


@pytest.mark.parametrize(
    "member",
    [
        build_member("../escaped"),
        build_member("a/../../escaped"),
        build_member("/tmp/escaped"),
        build_member("link", tarfile.SYMTYPE, "/etc/passwd"),
        build_member("link", tarfile.LNKTYPE, "../a.tar.gz"),
        build_member("pipe", tarfile.FIFOTYPE),
        build_member("device", tarfile.CHRTYPE),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_what_is_no_file_or_leads_out_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", member)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(StorageError):
        extract_archive(archive, out)
    assert list(out.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "out"]


@pytest.mark.parametrize("length", [0, 5, 60])
def test_what_is_no_archive_is_an_error_of_ours(tmp_path: Path, length: int) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", build_member("a"))
    archive.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(StorageError, match="cannot be unpacked"):
        extract_archive(archive, tmp_path)
