from __future__ import annotations

import json

import pytest

from sm_remote.errors import JobFailed
from sm_remote.runtime.mpirun import run_by_mpirun
from sm_remote.runtime.run import Job
from sm_remote.wire.manifest import Manifest


def test_hosts_that_are_one_machine_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SM_REMOTE_ML_ROOT", str(tmp_path))
    cluster = {"current_host": "algo-1", "hosts": ["algo-1", "algo-2"], "network_interface_name": "lo"}
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/resourceconfig.json").write_text(json.dumps(cluster))
    job = Job(Manifest(objects=(), python="3.11", function_name="f"), "d" * 64, str(tmp_path))
    with pytest.raises(JobFailed, match="several hosts in the process engine") as caught:
        run_by_mpirun(job, say=print, started=lambda: None)
    assert "engine='docker'" in str(caught.value)
