"""Each job has a lock beside its outputs; a job is run again from what is stored, and two are compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sm_remote import attach, diff, remote, replay
from sm_remote.errors import ConfigError, JobError, JobNotFound, JobStopped
from sm_remote.home import find_home
from sm_remote.jobs.environments.layers import find_layer
from tests.cells import run_cell

pytestmark = pytest.mark.service


@pytest.fixture
def cell() -> dict[str, Any]:
    source = """
    import numpy

    @remote(stream_logs=False, environment_variables={"PYTHONHASHSEED": "7", "TOKEN": "hushed"})
    def total(n):
        import os
        return float(numpy.arange(n).sum()), os.environ["TOKEN"], os.environ.get("EXTRA")

    @remote(stream_logs=False)
    def wait():
        import time
        time.sleep(600 + 0 * numpy.pi)
    """
    return run_cell(source, {"__name__": "__main__", "remote": remote})


def find_store() -> Path:
    return find_home().store / "sm-remote-local" / "sm_remote"


def read_lock(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((find_store() / "jobs" / name / "job.lock.json").read_text())
    return content


def list_blobs() -> set[str]:
    return {path.name for path in (find_store() / "blobs").iterdir()}


def test_the_lock_says_what_a_job_was_made_of_and_no_secret(cell: dict[str, Any]) -> None:
    job = cell["total"].submit(5)
    job.result()
    lock = read_lock(job.name)
    assert lock["job"] == job.name
    assert lock["code"]["function"] == "total"
    assert any(line.startswith("numpy==") for line in lock["environment"]["requirements"])
    assert lock["seeds"]["PYTHONHASHSEED"] == "7"
    assert lock["settings"]["stream_logs"] == {"value": False, "origin": "argument"}
    assert lock["manifest"] in " ".join(job.describe()["AlgorithmSpecification"]["ContainerArguments"])
    assert "hushed" not in json.dumps(lock)


def test_a_replay_runs_the_same_and_sends_nothing(cell: dict[str, Any]) -> None:
    first = cell["total"].submit(5)
    value = first.result()
    before = list_blobs()
    again = replay(first)
    assert again.result() == value == (10.0, "hushed", None)
    assert again.name != first.name
    assert again.name.startswith("total-")
    assert list_blobs() == before
    assert not diff(first, again)
    assert read_lock(again.name)["replay_of"] == first.name


def test_a_replay_by_name_may_have_another_machine_and_variables(cell: dict[str, Any]) -> None:
    first = cell["total"].submit(4)
    first.result()
    variables = {"TOKEN": "other", "EXTRA": "1"}
    again = replay(first.name, instance_type="ml.m5.xlarge", environment_variables=variables)
    assert again.result() == (6.0, "other", "1")
    rows = {row.what: (row.before, row.after) for row in diff(first.name, attach(again.name))}
    assert rows == {
        "instance type": ("ml.m5.large", "ml.m5.xlarge"),
        "variable EXTRA": ("", "(a value)"),
        "variable PYTHONHASHSEED": ("(a value)", ""),
        "variable TOKEN": ("(a value)", "(another value)"),
    }


def test_other_arguments_and_code_are_told_apart(cell: dict[str, Any]) -> None:
    jobs = [cell["total"].submit(3), cell["total"].submit(4)]
    for job in jobs:
        job.result()
    assert [row.what for row in diff(*jobs)] == ["arguments"]


def test_input_data_is_in_the_lock_by_its_state(cell: dict[str, Any], tmp_path: Path) -> None:
    data = find_store() / "data" / "a.csv"
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text("1,2")
    with_data = cell["total"].options(inputs={"train": "s3://sm-remote-local/sm_remote/data/"})
    first = with_data.submit(3)
    first.result()
    data.write_text("1,2,3")
    second = with_data.submit(3)
    second.result()
    assert read_lock(first.name)["data"]["train"]["objects"] == 1
    assert [row.what for row in diff(first, second)] == ["data train"]


def test_a_job_whose_objects_are_gone_cannot_be_run_again(cell: dict[str, Any]) -> None:
    first = cell["total"].submit(1234)
    first.result()
    sources = [channel["DataSource"]["S3DataSource"] for channel in first.describe()["InputDataConfig"]]
    uri = next(source["S3Uri"] for source in sources if source["S3DataType"] == "ManifestFile")
    (find_store() / uri.removeprefix("s3://sm-remote-local/sm_remote/")).unlink()
    with pytest.raises(JobError, match="cannot be run again") as caught:
        replay(first)
    assert "Call the function anew" in caught.value.fix


def test_the_command_line_runs_again_compares_and_lists_layers(cell: dict[str, Any]) -> None:
    def run(*words: str) -> Any:
        command = [sys.executable, "-c", "from sm_remote.cli import main; main()", *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = cell["total"].submit(5)
    first.result()
    again = run("replay", first.name, "--instance-type", "ml.m5.xlarge")
    assert again["replay_of"] == first.name
    attach(again["name"]).result()
    rows = run("diff", first.name, again["name"])["rows"]
    assert rows == [{"what": "instance type", "before": "ml.m5.large", "after": "ml.m5.xlarge"}]
    key = read_lock(first.name)["environment"]["layer"]
    assert key in [layer["key"] for layer in run("layers", "list")]
    shown = run("layers", "show", key)[0]["distributions"]
    assert any(name.startswith("numpy ") for name in shown)


def test_a_layer_of_a_live_job_stays(cell: dict[str, Any]) -> None:
    job = cell["wait"].submit()
    try:
        layer = find_layer(find_home(), read_lock(job.name)["environment"]["layer"])
        old = layer.last_used.timestamp() - 40 * 86400
        os.utime(layer.path, (old, old))
        command = [sys.executable, "-c", "from sm_remote.cli import main; main()", "layers", "prune"]
        subprocess.run(command, check=True, timeout=120)
        assert layer.path.is_dir()
    finally:
        job.stop()
    with pytest.raises(JobStopped):
        job.result()
    subprocess.run(command, check=True, timeout=120)
    assert not layer.path.exists()
    assert cell["total"](3)[0] == 3.0  # made again


def test_wrong_use_is_refused(cell: dict[str, Any]) -> None:
    with pytest.raises(JobNotFound):
        replay("no-such-job")
    with pytest.raises(ConfigError, match="dependencies"):
        replay("no-such-job", dependencies=["numpy"])
