"""What a wheel brings into an environment without node: the panel, and no trace of who built it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, skip_or_fail

PLACE = "share/jupyter/labextensions/@sm-remote/labextension"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory):
    if not (ROOT / "sm_remote" / "labextension" / "package.json").exists():
        skip_or_fail("The panel is not built: make panel")
    directory = tmp_path_factory.mktemp("wheel")
    command = [*(sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation"), "-o", str(directory), "."]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as archive:
        yield archive


def test_the_panel_and_its_server_are_found_by_jupyter(wheel):
    names = {name.partition(".data/data/")[2] for name in wheel.namelist()}
    assert f"{PLACE}/package.json" in names
    assert f"{PLACE}/install.json" in names
    assert f"{PLACE}/schemas/@sm-remote/labextension/cells.json" in names
    assert any(name.startswith(f"{PLACE}/static/remoteEntry.") for name in names)
    (config,) = [name for name in wheel.namelist() if name.endswith("jupyter_server_config.d/sm_remote.json")]
    assert json.loads(wheel.read(config)) == {"ServerApp": {"jpserver_extensions": {"sm_remote.server": True}}}
    assert "sm_remote/server/jobs_changed.yaml" in wheel.namelist()


def test_it_is_a_production_bundle_without_sources_and_paths(wheel):
    names = wheel.namelist()
    assert not [name for name in names if name.endswith((".map", ".ts", ".tsx", "build_log.json"))]
    assert not [name for name in names if name.startswith("sm_remote/labextension")]
    traces = [str(ROOT).encode(), str(Path.home() / ".").encode() + b"/"]
    for name in names:
        content = wheel.read(name)
        assert not [trace for trace in traces if trace in content and len(trace) > 3], name


def test_the_lock_file_names_no_registry():
    lock = (ROOT / "labextension" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
