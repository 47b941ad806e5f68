"""The notebook about images of one's own, with the AWS CLI as it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sm_remote.home import Home
from tests.clients.local_aws import ROOT, stop_local_aws

pytestmark = [pytest.mark.docker, pytest.mark.service, pytest.mark.slow]


def test_a_job_of_the_aws_cli_is_seen_in_a_notebook(
    client_environments: Path, home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", f"{client_environments / 'cli' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SM_REMOTE_ENGINE", "docker")
    examples = ROOT / "examples"
    done = subprocess.run(
        [sys.executable, examples / "run_notebook.py", examples / "own_image.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    stop_local_aws(home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epoch 5  pi=3.1411" in done.stdout
    assert re.search(r"^pi-\d+ +Completed", re.sub(r"\x1b\[\d*m", "", done.stdout), re.MULTILINE)
    assert re.search(r'^Completed \{"pi": 3\.14', done.stdout, re.MULTILINE)
    assert done.stdout.count("Completed after") == 2
