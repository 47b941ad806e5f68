"""Checkpoints lie where the platform synchronises them, and elsewhere in the user's own state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sm_remote.checkpoints.location import CheckpointLocation
from sm_remote.checkpoints.owner import Owner
from sm_remote.checkpoints.place import find_caller, find_place
from sm_remote.wire.layout import (
    CHECKPOINT_DIRECTORY_VARIABLE,
    FUNCTION_VARIABLE,
    HOME_VARIABLE,
    ML_ROOT_VARIABLE,
    RESUME_VARIABLE,
)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """The environment of a training job; writes its configuration files."""
    monkeypatch.setenv(ML_ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setenv("TRAINING_JOB_NAME", "train-1")

    def write(**files):
        (tmp_path / "input" / "config").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (tmp_path / "input" / "config" / f"{name}.json").write_text(json.dumps(content))
        return {"TRAINING_JOB_NAME": "train-1", FUNCTION_VARIABLE: "train"}

    return write


@pytest.mark.parametrize(
    ("config", "below", "synchronised"),
    [
        ({"checkpointconfig": {"LocalPath": "/opt/ml/checkpoints", "S3Uri": "s3://b/p"}}, "checkpoints", True),
        ({"checkpointconfig": {"LocalPath": "/opt/ml/checkpoints/"}}, "checkpoints", True),
        ({"checkpointconfig": {"LocalPath": "/opt/ml/a/b"}}, "a/b", True),
        ({"checkpointconfig": {"S3Uri": "s3://b/p"}}, "checkpoints", True),
        ({}, "checkpoints", False),
    ],
)
def test_in_a_job_they_lie_where_its_checkpoint_config_says(job, tmp_path, config, below, synchronised):
    place = find_place(job(**config), caller="x")
    assert place.directory == tmp_path / below
    assert (place.synchronised, place.in_job, place.function, place.run) == (synchronised, True, "train", "train-1")
    assert Path(CheckpointLocation("s3://b/p")) == tmp_path / below


def test_a_path_outside_of_opt_ml_is_taken_as_it_is(job):
    assert find_place(job(checkpointconfig={"LocalPath": "/data/ckpt"}), caller="x").directory == Path("/data/ckpt")


def test_hosts_and_torchruns_ranks_are_told_apart(job):
    environment = job(resourceconfig={"hosts": ["algo-1", "algo-2"], "current_host": "algo-2"})
    place = find_place(environment, caller="x")
    assert (place.rank, place.rank_names) == (1, ("algo-1", "algo-2"))
    place = find_place({**environment, "RANK": "2", "WORLD_SIZE": "3"}, caller="x")
    assert (place.rank, place.rank_names) == (2, ("rank-0", "rank-1", "rank-2"))
    place = find_place({"RANK": "0", "WORLD_SIZE": "1", **job(resourceconfig={"hosts": ["algo-1"]})}, caller="x")
    assert (place.rank, place.ranks, place.rank_names) == (0, 1, ())


def test_a_decorated_function_that_runs_here_says_where(tmp_path):
    given = {CHECKPOINT_DIRECTORY_VARIABLE: str(tmp_path / "c"), FUNCTION_VARIABLE: "train", RESUME_VARIABLE: "false"}
    place = find_place(given, caller="x")
    assert (place.directory, place.function, place.resume, place.in_job) == (tmp_path / "c", "train", False, False)


@pytest.mark.parametrize(
    ("said", "resume", "adopts"), [("true", True, True), ("false", False, False), ("", True, False)]
)
def test_what_was_said_of_going_on_is_told_apart(job, said, resume, adopts):
    place = find_place({**job(), RESUME_VARIABLE: said, HOME_VARIABLE: "fit.ipynb"}, caller="x")
    assert (place.resume, place.adopts, place.owner) == (resume, adopts, Owner(function="train", home="fit.ipynb"))


def test_a_notebook_is_a_program_of_its_own(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/deep/fit it.ipynb")
    names = {"__name__": "__main__", "find_caller": find_caller}
    exec("found = find_caller(0)", names)
    assert names["found"] == "fit it"
    monkeypatch.setenv("JPY_SESSION_NAME", "console-1-5f0c9a17")
    exec("found = find_caller(0)", names)
    assert names["found"] == "notebook"
    monkeypatch.delenv("JPY_SESSION_NAME")
    names["__vsc_ipynb_file__"] = "/home/ada/of code.ipynb"
    exec("found = find_caller(0)", names)
    assert names["found"] == "of code"


def test_any_other_program_has_a_place_for_each_function(home):
    environment = {"SM_REMOTE_HOME": str(home.data)}
    first, second = find_place(environment, caller="prog.train"), find_place(environment, caller="../x y")
    assert first.directory == home.data / "checkpoints" / "prog.train"
    assert second.directory == home.data / "checkpoints" / "..-x-y"
    assert first.run != find_place(environment, caller="prog.train").run
    assert not first.directory.exists()


def test_the_caller_is_named_by_its_module():
    assert find_caller(0) == f"{__name__}.test_the_caller_is_named_by_its_module"


def test_a_location_is_a_path_and_travels():
    import pickle

    location = CheckpointLocation("s3://bucket/prefix")
    assert str(Path(location)) == "/opt/ml/checkpoints"
    assert pickle.loads(pickle.dumps(location)) == location
    assert location.s3_uri == "s3://bucket/prefix"


@pytest.mark.parametrize("uri", ["", "bucket/prefix", "ftp://a/b", None, "/opt/ml"])
def test_a_location_that_is_no_place_in_s3_is_refused(uri):
    with pytest.raises(ValueError, match="valid S3 URI"):
        CheckpointLocation(uri)
