from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from sm_remote.errors import DependencyInstallFailed
from sm_remote.runtime.packages import WARM_POOL_CACHE, provide_installed, provide_unpacked
from tests.integration.runtime.driver import wait_for


@pytest.fixture
def unpacks():
    """Plays unpacking, and counts."""
    seen: list[str] = []

    def unpack(archive: str, directory: str) -> str:
        seen.append(directory)
        os.makedirs(directory)
        Path(directory, "pkg.py").write_text("VALUE = 1\n")
        return directory

    return unpack, seen


def test_an_archive_is_unpacked_into_the_jobs_own_directory(tmp_path, unpacks, capsys):
    (tmp_path / "archive").write_bytes(b"x" * 3_000_000)
    unpack, _ = unpacks
    assert provide_unpacked(str(tmp_path / "archive"), "d", str(tmp_path / "out"), unpack) == str(tmp_path / "out")
    assert capsys.readouterr().out.startswith("sm_remote: environment: unpacked 3 MB of packages in 0.")


def test_a_warm_pool_unpacks_once(tmp_path, unpacks, monkeypatch):
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv(WARM_POOL_CACHE, str(tmp_path / "cache"))
    (tmp_path / "archive").touch()
    unpack, seen = unpacks
    found = {provide_unpacked(str(tmp_path / "archive"), "d", str(tmp_path / str(n)), unpack) for n in range(3)}
    assert found == {str(tmp_path / "cache" / "sm_remote" / "unpacked-d")}
    assert len(seen) == 1
    assert [path.name for path in (tmp_path / "cache" / "sm_remote").iterdir()] == ["unpacked-d"]


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path, unpacks, monkeypatch, capsys):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "sm_remote").touch()
    monkeypatch.setenv(WARM_POOL_CACHE, str(tmp_path / "cache"))
    (tmp_path / "archive").touch()
    unpack, _ = unpacks
    assert provide_unpacked(str(tmp_path / "archive"), "d", str(tmp_path / "out"), unpack) == str(tmp_path / "out")
    assert "warm pool's cache is not used" in capsys.readouterr().out


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.json"
    path.write_text(json.dumps({"requirements": ["mpi-thing==1.0", "other==2"], "limit_s": 60}))
    return str(path)


def test_without_uv_pip_says_what_failed(tmp_path, requirements, monkeypatch, capfd):
    monkeypatch.setenv("PATH", "")
    for name in ("PIP_NO_INDEX", "PIP_DISABLE_PIP_VERSION_CHECK"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(DependencyInstallFailed, match=r"mpi-thing==1\.0 could not be installed in the job") as caught:
        provide_installed(requirements, "d", str(tmp_path / "out"))
    assert "pip said: " in caught.value.why
    assert "No matching distribution" in caught.value.why
    assert "sm_remote: environment: installing mpi-thing, other with pip" in capfd.readouterr().out


def test_with_uv_it_is_uv_that_installs(tmp_path, requirements, monkeypatch, capsys):
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\nprint('args', *sys.argv[1:])\n"
        "os.makedirs(sys.argv[sys.argv.index('--target') + 1])\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))
    assert provide_installed(requirements, "d", str(tmp_path / "out")) == str(tmp_path / "out")
    said = capsys.readouterr().out
    assert f"--no-deps --target {tmp_path}/out mpi-thing==1.0 other==2" in said
    assert "sm_remote: environment: installed mpi-thing, other in 0." in said


def test_an_installer_that_takes_too_long_is_ended_with_all_that_it_has_started(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport subprocess, sys, time\n"
        "print('Building mpi-thing', flush=True)\n"
        f"child = subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(60)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))
    path = tmp_path / "requirements.json"
    path.write_text(json.dumps({"requirements": ["mpi-thing==1.0"], "limit_s": 1.0}))
    with pytest.raises(DependencyInstallFailed, match=r"mpi-thing==1\.0 .* took longer than 1 s") as caught:
        provide_installed(str(path), "d", str(tmp_path / "out"))
    assert "Building mpi-thing" in caught.value.why
    assert "install_limit_s" in caught.value.fix
    child = int(caught.value.why.split()[-1])
    wait_for(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
