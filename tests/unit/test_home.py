from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sm_remote.home import build_home_environment, find_home, write_private


def test_a_process_started_elsewhere_finds_the_same_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = find_home({"SM_REMOTE_HOME": "state"})
    environment = build_home_environment(home, {"SM_REMOTE_HOME": "state", "PATH": "/bin"})
    assert environment == {"SM_REMOTE_HOME": f"{tmp_path}/state", "PATH": "/bin"}
    monkeypatch.chdir("/")
    assert find_home(environment) == home


def test_a_home_of_before_is_not_exchanged_for_the_one_named_now(tmp_path: Path) -> None:
    assert build_home_environment(find_home({}), {"SM_REMOTE_HOME": str(tmp_path)}) == {}
    home = find_home({"SM_REMOTE_HOME": str(tmp_path)})
    assert build_home_environment(home, {}) == {"SM_REMOTE_HOME": str(tmp_path)}


def test_many_threads_may_write_a_file_for_the_first_time(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: write_private(path, "the same"), range(300)))
    assert path.read_text() == "the same"
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
