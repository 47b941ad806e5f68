"""What has arrived in S3 is told from what has not."""

from __future__ import annotations

import os
import random
from pathlib import Path

import boto3
import pytest

from sm_remote.checkpoints.checkpoint import Checkpoint
from sm_remote.checkpoints.owner import Owner
from sm_remote.errors import ConfigError
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.jobs.artifacts.stored_checkpoints import (
    check_place,
    describe_durable,
    find_durable,
    list_stored,
    refuse_foreign,
    spell_age,
    tear_newest,
)
from sm_remote.storage import open_store
from tests.checkpoint_places import build_place

URI = f"s3://{LOCAL_BUCKET}/ckpt"


def put(home: Home, directory: Path, *, leave_out: str = "nothing") -> None:
    store = open_store(URI, home=home, s3_client_factory=dict)
    for path in sorted(directory.rglob("*")):
        if path.is_file() and leave_out not in str(path):
            store.put_if_absent(str(path.relative_to(directory)), path)


@pytest.fixture
def store(home):
    return open_store(URI, home=home, s3_client_factory=dict)


def save(directory: Path, steps: range, *, at: float, **place: object) -> None:
    time = [at]
    with Checkpoint("state", build_place(directory, **place), now=lambda: time[0], keep=5) as ckpt:
        for step in steps:
            (ckpt.path / "model").write_bytes(b"m" * step)
            ckpt.save({"step": step}, step=step)
            time[0] += 10


def test_the_newest_whole_generation_of_the_job_is_durable(home, store, tmp_path):
    assert list_stored(store) == []
    save(tmp_path, range(3), at=1000.0)
    put(home, tmp_path, leave_out="00000003-")
    found = list_stored(store)
    assert [(each.manifest.step, each.whole) for each in found] == [(0, True), (1, True)]
    durable = find_durable(found, "train-1")
    assert (durable.step, durable.saved_at) == (1, 1010.0)
    assert find_durable(found, "train-2") is None


def test_a_generation_with_a_file_missing_is_not_durable(home, store, tmp_path):
    save(tmp_path, range(2), at=1000.0)
    put(home, tmp_path, leave_out=str(sorted((tmp_path / "state").glob("00000002-*"))[0] / "files"))
    assert [each.whole for each in list_stored(store)] == [True, False]
    assert find_durable(list_stored(store), "train-1").step == 0


def test_what_is_no_checkpoint_of_ours_is_left_alone(home, store, tmp_path):
    (tmp_path / "checkpoint-500").mkdir()
    (tmp_path / "checkpoint-500" / "manifest.json").write_text("{}")
    (tmp_path / "00000001-aaaaaaaa").mkdir()
    (tmp_path / "00000001-aaaaaaaa" / "manifest.json").write_text("torn")
    put(home, tmp_path)
    assert list_stored(store) == []


def test_another_functions_checkpoints_are_refused(home, store, tmp_path):
    save(tmp_path, range(1), at=1.0, function="evaluate")
    put(home, tmp_path)
    refuse_foreign(list_stored(store), Owner(function="evaluate", home="fit.ipynb"), URI)
    with pytest.raises(ConfigError, match="another function, evaluate; this is train") as caught:
        refuse_foreign(list_stored(store), Owner(function="train"), URI)
    assert "resume=False" in caught.value.fix


def test_a_function_of_the_same_name_from_elsewhere_is_refused_unless_it_went_on_since(home, store, tmp_path):
    owner = Owner(function="train", home="b.ipynb")
    save(tmp_path, range(1), at=1.0, home="a.ipynb")
    put(home, tmp_path)
    said = "another function, train of a.ipynb; this is train of b.ipynb. Nothing was sent"
    with pytest.raises(ConfigError, match=said) as caught:
        refuse_foreign(list_stored(store), owner, URI)
    assert "resume=True takes them up" in caught.value.fix
    save(tmp_path, range(1), at=9.0, home="b.ipynb", run="train-2", adopts=True)
    put(home, tmp_path)
    refuse_foreign(list_stored(store), owner, URI)


def test_a_local_job_without_credentials_for_its_place_is_refused_before_it_is_sent(home, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def open_place(uri):
        return open_store(uri, home=home, s3_client_factory=lambda: boto3.session.Session().client("s3", "us-east-1"))

    for owner in (Owner(function="train"), None):
        with pytest.raises(ConfigError, match="this machine has no AWS credentials; nothing was sent"):
            check_place("s3://bucket/ckpt", owner, open_store=open_place, is_local=True)
    check_place(
        "s3://bucket/ckpt", Owner(function="train"), open_store=open_place, is_local=False
    )  # the role may have what it takes


def test_what_would_be_lost_is_said(home, store, tmp_path):
    save(tmp_path, range(2), at=1000.0)
    put(home, tmp_path)
    durable = find_durable(list_stored(store), "train-1")
    text = "last durable checkpoint (step 1) 3 min ago; if interrupted now you lose 3 min"
    assert describe_durable(durable, now=1190.0) == text
    assert describe_durable(None, now=0) == "no durable checkpoint yet; if interrupted now you lose all of it"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (3600, "60 min"), (9000, "2.5 h")]
)
def test_ages_are_spelled_shortly(seconds, text):
    assert spell_age(seconds) == text


@pytest.mark.parametrize("seed", range(8))
def test_a_torn_newest_generation_leaves_the_one_before_whole(home, store, tmp_path, seed):
    save(tmp_path, range(1), at=1.0)
    put(home, tmp_path)
    assert not tear_newest(store, random.Random(seed)), "the only one stays"
    save(tmp_path, range(1, 3), at=1000.0)
    put(home, tmp_path)
    before = {each.key: store.get(each.key) for each in store.list("")}
    assert tear_newest(store, random.Random(seed))
    after = {each.key: store.get(each.key) for each in store.list("")}
    changed = {key for key in before if after.get(key) != before[key]}
    assert changed
    assert len({key.split("/")[1] for key in changed}) == 1
    assert [each.manifest.step for each in list_stored(store) if each.whole][-1] == 1
