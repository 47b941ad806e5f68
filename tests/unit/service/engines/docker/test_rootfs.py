from __future__ import annotations

import io
import tarfile

from sm_remote.service.engines.docker.rootfs import Rootfs


def unpack(rootfs: Rootfs) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(rootfs.write_tar()))) as archive:
        members = archive.getmembers()
    assert len({member.name for member in members}) == len(members)
    return {f"/{member.name}": member for member in members}


def test_a_file_comes_with_every_directory_and_link_that_leads_to_it(tmp_path):
    (tmp_path / "real" / "lib").mkdir(parents=True)
    (tmp_path / "real" / "lib" / "python3.99").write_text("x")
    (tmp_path / "link").symlink_to("real/lib")
    (tmp_path / "absolute").symlink_to(tmp_path / "link")
    (tmp_path / "real" / "lib" / "python3").symlink_to("../lib/python3.99")
    rootfs = Rootfs()
    rootfs.add_path(str(tmp_path / "absolute" / "python3"))
    found = unpack(rootfs)
    assert found[str(tmp_path / "absolute")].linkname == str(tmp_path / "link")
    assert found[str(tmp_path / "link")].linkname == "real/lib"
    assert found[str(tmp_path / "real" / "lib" / "python3")].issym()
    assert found[str(tmp_path / "real" / "lib" / "python3.99")].isfile()
    assert not any(name.startswith(f"{tmp_path}/link/") for name in found)


def test_everything_can_be_read_by_everybody_and_belongs_to_root(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "program").write_text("#!/bin/sh")
    (private / "program").chmod(0o700)
    (private / "data").write_text("x")
    (private / "data").chmod(0o600)
    rootfs = Rootfs()
    rootfs.add_tree(str(private))
    found = unpack(rootfs)
    assert [found[f"{private}{name}"].mode for name in ("", "/program", "/data")] == [0o755, 0o755, 0o644]
    assert {(member.uid, member.gid) for member in found.values()} == {(0, 0)}


def test_names_left_out_are_left_out_at_every_depth(tmp_path):
    for name in ("keep/site-packages/x.py", "site-packages/x.py", "keep/y.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    rootfs = Rootfs()
    rootfs.add_tree(str(tmp_path), frozenset({"site-packages"}))
    assert [name for name in unpack(rootfs) if name.endswith(".py")] == [f"{tmp_path}/keep/y.py"]


def test_loops_of_links_and_missing_files_do_no_harm(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    rootfs = Rootfs()
    rootfs.add_path(str(tmp_path / "a"))
    rootfs.add_path(str(tmp_path / "missing" / "file"))
    rootfs.add_path("/")
    assert f"{tmp_path}/missing" not in unpack(rootfs)


def test_a_file_keeps_the_time_of_its_last_change_which_makes_bytecode_valid(tmp_path):
    (tmp_path / "x.py").write_text("")
    rootfs = Rootfs()
    rootfs.add_path(str(tmp_path / "x.py"))
    assert unpack(rootfs)[f"{tmp_path}/x.py"].mtime == int((tmp_path / "x.py").stat().st_mtime)


def test_text_and_directories_of_the_images_own(tmp_path):
    rootfs = Rootfs()
    rootfs.add_text("/etc/x/passwd", b"root")
    rootfs.add_directory("/tmp", 0o1777)
    found = unpack(rootfs)
    assert found["/tmp"].mode == 0o1777
    assert (found["/etc/x/passwd"].size, found["/etc"].isdir()) == (4, True)
