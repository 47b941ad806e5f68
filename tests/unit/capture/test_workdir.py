from __future__ import annotations

import io
import logging
import os
import tarfile
import time
from pathlib import Path

import pytest

from sm_remote import CustomFileFilter
from sm_remote.capture import workspace
from sm_remote.capture.call import capture_call
from sm_remote.capture.file_filter import GitIgnore, choose_filter
from sm_remote.capture.spool import Spool
from sm_remote.capture.workdir import list_workdir, pack_workdir
from sm_remote.capture.workspace import WorkspaceRequest, gather_workspace, plan_workdir
from sm_remote.errors import CaptureError, ConfigError
from sm_remote.wire.layout import blob_key
from sm_remote.wire.manifest import WORKDIR

MIB = 1 << 20


@pytest.fixture
def project(weird_path, monkeypatch) -> Path:
    monkeypatch.chdir(weird_path)
    return weird_path


def write(root: Path, *names: str, text: str = "x") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names_of(root: Path, ignore=None, **options) -> list[str]:
    found = list_workdir(root, ignore or GitIgnore(root), **{"limit_bytes": 100 * MIB, **options})
    return [entry.name for entry in found.entries if not entry.is_folder]


def pack(root: Path, home, ignore=None) -> bytes:
    with Spool(home.cache) as spool:
        pack_workdir(list_workdir(root, ignore or GitIgnore(root), limit_bytes=100 * MIB), spool)
        source = spool.source()
        assert isinstance(source, bytes)
        return source


def test_everything_travels_but_what_git_ignores(project):
    write(project, "train.py", "data/a.csv", "data/keep.csv", "out/model.bin", "pkg/__pycache__/x.pyc", "pkg/mod.py")
    write(project, "pkg/local.tmp", "deep/build/x", "build/x")
    (project / ".gitignore").write_text("*.csv\n!keep.csv\nout/\n/build\n# comment\n")
    (project / "pkg" / ".gitignore").write_text("*.tmp\n")
    assert names_of(project) == [
        *(".gitignore", "data/keep.csv", "deep/build/x", "pkg/.gitignore", "pkg/mod.py", "train.py"),
    ]


def test_the_rules_of_the_repository_above_count(project):
    (project / ".git" / "info").mkdir(parents=True)
    (project / ".git" / "info" / "exclude").write_text("secret.txt\n")
    (project / ".gitignore").write_text("*.csv\nignored/\n")
    below = project / "notebooks"
    write(below, "a.ipynb", "a.csv", "secret.txt")
    assert names_of(below) == ["a.ipynb"]


def test_a_working_directory_that_git_ignores_as_a_whole_travels_by_its_own_rules(project):
    (project / ".git").mkdir()
    (project / ".gitignore").write_text("scratch/\n")
    write(project / "scratch", "a.py", "b.log")
    (project / "scratch" / ".gitignore").write_text("*.log\n")
    assert names_of(project / "scratch") == [".gitignore", "a.py"]


def test_credentials_bookkeeping_and_virtual_environments_never_travel(project):
    write(project, ".git/config", ".ssh/id", ".netrc", ".aws/credentials", "a.py", ".ipynb_checkpoints/a.ipynb")
    write(project, "env/pyvenv.cfg", "env/lib/x.py", "conda/conda-meta/history", "conda/lib/y.py")
    assert names_of(project) == ["a.py"]


def test_our_own_state_stays_behind_wherever_it_is(project, monkeypatch):
    from sm_remote.home import find_home

    monkeypatch.setenv("SM_REMOTE_HOME", str(project / "state"))
    write(project, "state/store/blob", "a.py")
    found = plan_workdir(WorkspaceRequest(include_workdir=True), find_home())
    assert found is not None
    assert [entry.name for entry in found.entries] == ["a.py"]


def test_a_callable_filter_is_called_as_shutil_copytree_would(project):
    write(project, "a.py", "a.txt", "sub/b.txt", "sub/b.py", "left/c.py")
    (project / ".gitignore").write_text("*.py\n")
    calls = []

    def ignore(folder, names):
        calls.append((folder, sorted(names)))
        return {"left"} | {name for name in names if name.endswith(".txt")}

    root, chosen = choose_filter(ignore, project)
    assert names_of(root, chosen) == [".gitignore", "a.py", "sub/b.py"]
    assert calls[0] == (str(project), [".gitignore", "a.py", "a.txt", "left", "sub"])
    assert (str(project / "sub"), ["b.py", "b.txt"]) in calls


def test_a_custom_file_filter_compares_names_and_belongs_to_the_directory_where_it_was_made(project, monkeypatch):
    write(project, "a.py", "data.csv", "sub/deep.csv", "sub/b.json", "data/x.py")
    (project / ".gitignore").write_text("*.json\n")
    made = CustomFileFilter(ignore_name_patterns=["*.csv", "data"])
    monkeypatch.chdir(project / "sub")
    found = plan_workdir(WorkspaceRequest(include_workdir=True, file_filter=made), home=_NoHome)
    assert found is not None
    assert found.root == project
    assert [entry.name for entry in found.entries if entry.is_file] == [".gitignore", "a.py", "sub/b.json"]


class _NoHome:
    data = cache = Path("/nonexistent/sm_remote")


def test_patterns_from_a_configuration_file_mean_the_same(project):
    write(project, "a.py", "a.csv")
    root, ignore = choose_filter(("*.csv",), project)
    assert names_of(root, ignore) == ["a.py"]


def test_the_same_files_give_the_same_bytes_whenever_and_however_they_were_written(project, home, tmp_path):
    other = tmp_path / "other"
    for root, names in ((project, ("b.py", "a.py", "sub/c")), (other, ("sub/c", "a.py", "b.py"))):
        write(root, *names)
        (root / "empty").mkdir()
    (other / "a.py").chmod(0o600)
    os.utime(other / "a.py", (1, 1))
    assert pack(project, home) == pack(other, home)
    (other / "a.py").chmod(0o755)
    assert pack(project, home) != pack(other, home)


def test_the_archive_holds_contents_folders_and_whether_a_file_is_executable(project, home):
    write(project, "run.sh", "ümläut.txt", text="hello")
    (project / "run.sh").chmod(0o700)
    (project / "empty").mkdir()
    with tarfile.open(fileobj=io.BytesIO(pack(project, home))) as archive:
        members = {member.name: member for member in archive}
        assert set(members) == {"empty", "run.sh", "ümläut.txt"}
        assert members["empty"].isdir()
        assert (members["run.sh"].mode, members["ümläut.txt"].mode) == (0o755, 0o644)
        assert archive.extractfile("ümläut.txt").read() == b"hello"


def test_links_inside_stay_links_and_others_become_what_they_lead_to(project, home, tmp_path):
    write(tmp_path / "outside", "big/data.txt", "file.txt", text="data")
    write(project, "real/a.txt")
    (project / "inside").symlink_to("real")
    (project / "away").symlink_to(tmp_path / "outside" / "big")
    (project / "file.txt").symlink_to(tmp_path / "outside" / "file.txt")
    (project / "around").symlink_to(f"../{project.name}/real")
    (project / "loop").symlink_to(project)
    (project / "broken").symlink_to("nowhere")
    with tarfile.open(fileobj=io.BytesIO(pack(project, home))) as archive:
        members = {member.name: member for member in archive}
        archive.extractall(tmp_path / "job", filter="data")
    assert members["inside"].issym()
    assert set(members) >= {"away/data.txt", "file.txt", "inside", "real/a.txt"}
    assert "broken" not in members
    assert (tmp_path / "job" / "away" / "data.txt").read_text() == "data"
    assert (tmp_path / "job" / "inside" / "a.txt").read_text() == "x"


def test_sockets_and_pipes_are_no_content(project):
    os.mkfifo(project / "pipe")
    write(project, "a.py")
    assert names_of(project) == ["a.py"]


def test_too_large_a_directory_is_refused_with_its_largest_entries(project):
    write(project, "train.py", "small/a.txt")
    (project / "data" / "raw").mkdir(parents=True)
    with open(project / "data" / "raw" / "big.bin", "wb") as file:
        file.truncate(5 << 30)  # sparse: five gigabytes that nobody wrote
    with pytest.raises(ConfigError, match=r"holds more than 500\.0 MB; nothing was sent") as caught:
        names_of(project, limit_bytes=500_000_000)
    assert "data/ (5.4 GB)" in caught.value.why
    assert "data/raw/big.bin (5.4 GB)" in caught.value.why
    assert "local_workdir_limit_bytes" in caught.value.fix


def test_counting_stops_as_soon_as_it_is_too_much(project):
    write(project, *[f"{number:03}/a" for number in range(50)], text="x" * 1000)
    visited = []

    def ignore(folder, names):
        visited.append(folder)
        return ()

    with pytest.raises(ConfigError):
        names_of(project, ignore, limit_bytes=5000)
    assert len(visited) < 10


def test_the_home_directory_is_refused_unless_a_filter_says_what_is_meant(project, monkeypatch, home):
    monkeypatch.setenv("HOME", str(project))
    write(project, "a.py")
    with pytest.raises(ConfigError, match="home directory"):
        plan_workdir(WorkspaceRequest(include_workdir=True), home)
    request = WorkspaceRequest(include_workdir=True, file_filter=lambda folder, names: ())
    assert plan_workdir(request, home) is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(project, home):
    write(project, "a.py", "locked")
    (project / "locked").chmod(0)
    with pytest.raises(CaptureError, match="locked"):
        pack(project, home)


def test_a_deleted_working_directory_is_said(project, home, monkeypatch):
    gone = project / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="it is gone"):
        plan_workdir(WorkspaceRequest(include_workdir=True), home)


def test_a_script_that_is_not_there_is_said_before_anything_is_packed(project, home, store):
    request = WorkspaceRequest(script="setup.sh", include_workdir=True)
    with pytest.raises(ConfigError, match=r"setup\.sh"), gather_workspace(request, home, store):
        raise AssertionError


def test_the_same_commands_are_the_same_object_whatever_bytes_a_script_holds(project, home, store):
    (project / "setup.sh").write_bytes(b"echo '\xff\xfe'\n")
    with gather_workspace(WorkspaceRequest(script="setup.sh"), home, store) as first:
        with gather_workspace(WorkspaceRequest(script=str(project / "setup.sh")), home, store) as second:
            assert [each.ref for each in first.uploads] == [each.ref for each in second.uploads]
        assert first.runs_commands
        assert first.module_names == frozenset()


def call(store, home, here):
    request = WorkspaceRequest(include_workdir=True)
    options = {"home": home, "dependencies": None, "python": here, "runtime": b"PK", "workspace": request}
    return capture_call(pow, (2, 3), {}, store=store, **options)


def test_a_directory_that_has_not_changed_is_neither_sent_nor_packed_again(project, home, store, here, caplog):
    caplog.set_level(logging.INFO, logger="sm_remote")
    write(project, "a.py", text="x" * 100_000)
    other_time = time.time() - 60
    os.utime(project / "a.py", (other_time, other_time))
    first = call(store, home, here)
    assert first.uploaded_bytes > 100_000
    second = call(store, home, here)
    assert (second.uploaded_bytes, second.manifest_ref) == (0, first.manifest_ref)
    (project / "a.py").write_text("y" * 100_000)
    third = call(store, home, here)
    assert third.manifest_ref != first.manifest_ref
    assert [item.size_bytes for item in third.items if item.kind == "workdir"] == [100_000]


def test_a_directory_that_was_packed_is_packed_again_where_it_is_no_longer_stored(
    project, home, store, here, monkeypatch
):
    monkeypatch.setattr(workspace, "_SETTLED_S", -1.0)
    write(project, "a.py", text="x" * 100_000)
    first = call(store, home, here)
    ref = first.manifest.one(WORKDIR)
    assert len(workspace._packed) == 1
    assert call(store, home, here).uploaded_bytes == 0
    store.delete(blob_key(ref.digest))
    assert call(store, home, here).uploaded_bytes == ref.size_bytes
