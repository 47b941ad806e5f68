"""A function that runs here sees the variables that it would see in a job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sm_remote import FileSystemInput, remote
from sm_remote.errors import ConfigError
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.jobs.calls import local_run
from sm_remote.storage import open_store


class FakeConnection:
    """Opens stores of a home, without a service."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def open_store(self, uri: str) -> Any:
        return open_store(uri, home=self.home, s3_client_factory=dict)


def test_hyperparameters_and_channels_are_those_of_the_job(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_run, "connect_with", lambda settings: FakeConnection(home))
    store = FakeConnection(home).open_store(f"s3://{LOCAL_BUCKET}")
    store.put_if_absent("data/train/a.csv", b"1")
    store.put_if_absent("data/train/deep/b.csv", b"2")
    store.put_if_absent("data/other.csv", b"3")

    def look() -> tuple[str, list[str]]:
        root = Path(os.environ["SM_CHANNEL_TRAINING"])
        return os.environ["SM_HPS"], sorted(str(path.relative_to(root)) for path in root.rglob("*.csv"))

    inputs = {"training": f"s3://{LOCAL_BUCKET}/data/train/"}
    there = remote(hyperparameters={"lr": 0.1, "name": "x"}, inputs=inputs)(look)
    assert there.local() == ('{"lr":0.1,"name":"x"}', ["a.csv", "deep/b.csv"])
    assert "SM_CHANNEL_TRAINING" not in os.environ


def test_local_data_is_seen_under_its_paths_and_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "b.csv").write_text("2")

    def look() -> tuple[str, bool, list[str]]:
        path = Path(os.environ["SM_CHANNEL_TRAIN"], "deep", "b.csv")
        return path.read_text(), path.is_symlink(), os.listdir(os.environ["SM_CHANNEL_X"])

    assert remote(inputs={"train": tmp_path / "data", "x": np.zeros(2)})(look).local() == ("2", True, ["data.npy"])


def test_what_only_sagemaker_can_mount_is_refused_here() -> None:
    there = remote(inputs={"efs": FileSystemInput("fs-01234567", "EFS", "/")})(len)
    with pytest.raises(ConfigError, match="'efs' cannot be had in this process"):
        there.local([])


@pytest.mark.parametrize("saved", [True, False])
def test_a_tree_stays_if_something_was_saved_in_it(tmp_path: Path, saved: bool) -> None:
    tree = tmp_path / "tree"
    (tree / "output" / "data").mkdir(parents=True)
    (tree / "input" / "data" / "rows").mkdir(parents=True)
    (tree / "input" / "data" / "rows" / "a.csv").write_text("1")
    if saved:
        (tree / "model").mkdir()
        (tree / "model" / "weights").write_text("2")
    local_run.remove_unless_saved(tree)
    assert tree.exists() is saved
