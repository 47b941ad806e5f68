from __future__ import annotations

from pathlib import Path

import pytest

from sm_remote.home import build_home_environment, find_home


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
