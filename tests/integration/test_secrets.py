"""A secret reaches the function and nothing else: no request, record, log, lock, store or file."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from sm_remote import attach, remote
from tests.cells import run_cell

pytestmark = pytest.mark.service

CELL = """
@remote(secrets={"HF_TOKEN": "env:TOKEN_OF_MINE"}, pre_execution_commands=["env"])
def use():
    import hashlib, os, subprocess, sys, time
    token = os.environ["HF_TOKEN"]
    print("digest", hashlib.sha256(token.encode()).hexdigest())
    print(f"the token is {token}, again {token}")
    sys.stderr.write(f"and {token}\\n")
    assert not [name for name in os.environ if name.startswith("SM_REMOTE_SECRET")]
    print("inherited", subprocess.run([sys.executable, "-c", "import os; print(len(os.environ['HF_TOKEN']))"],
          capture_output=True, text=True).stdout)
    print("ready")
    time.sleep(600)
"""


def test_a_secret_is_with_the_function_and_nowhere_else(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = secrets.token_urlsafe(24)
    monkeypatch.setenv("TOKEN_OF_MINE", value)
    use = run_cell(CELL, {"__name__": "__main__", "remote": remote})["use"]
    job = use.submit()
    lines = []
    for line in job.logs(follow=True):
        lines.append(line)
        if line == "ready":
            break
    try:
        assert f"digest {hashlib.sha256(value.encode()).hexdigest()}" in lines
        assert "the token is ***, again ***" in lines
        assert "and ***" in lines
        assert f"inherited {len(value)}" in lines
        assert job.describe()["Environment"] == {"SM_REMOTE_SECRET_HF_TOKEN": "env:TOKEN_OF_MINE"}
        assert value not in json.dumps(attach(job.name).describe(), default=str)
        if engine == "docker":
            assert value not in json.dumps(_inspect_container(job.name))
        _assert_nowhere(value, Path(os.environ["SM_REMOTE_HOME"]))
    finally:
        job.stop()
        job.exception(timeout=120)
    assert not [line for line in job.logs() if value in line]
    _assert_nowhere(value, Path(os.environ["SM_REMOTE_HOME"]))


def _inspect_container(job_name: str) -> Any:
    import docker

    client = docker.from_env()
    try:
        (found,) = client.containers.list(filters={"label": f"sm_remote.job={job_name}"})
        return found.attrs
    finally:
        client.close()


def _assert_nowhere(value: str, directory: Path) -> None:
    looked_at = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                looked_at += 1
                assert value.encode() not in path.read_bytes(), path
    assert looked_at
