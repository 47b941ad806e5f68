"""Channels: what the request names, what is stored, and that the same data is stored once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sm_remote.capture.inputs import InputsRequest, gather_inputs, list_input_items
from sm_remote.errors import ConfigError, CorruptBlob, StorageError
from sm_remote.home import LOCAL_BUCKET, Home
from sm_remote.inputs import FileSystemInput, ShuffleConfig, TrainingInput
from sm_remote.spec import Channel, FileSystem
from sm_remote.storage.embedded import EmbeddedStore
from tests.unit.capture.memory_store import MemoryStore

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:hub-content/Hub/DataSet/mine/1.0.0"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (root / "one.csv").write_text("1\n")
    (root / "sub" / "two.csv").write_text("22\n")
    return root


def send(inputs: dict[str, Any], home: Home, store: Any) -> tuple[tuple[Channel, ...], int]:
    with gather_inputs(InputsRequest(values=inputs), home=home, store=store) as gathered:
        return gathered.channels, gathered.upload()


def test_a_directory_is_a_prefix_below_which_its_files_keep_their_paths(data: Path, home: Home) -> None:
    store = MemoryStore()
    (channel,), written = send({"train": data}, home, store)
    assert channel.s3_data_type == "S3Prefix"
    assert channel.s3_uri.startswith("s3://bucket/prefix/inputs/")
    assert channel.s3_uri.endswith("/")
    prefix = channel.s3_uri.removeprefix("s3://bucket/prefix/")
    assert {key.removeprefix(prefix): content for key, content in store.objects.items()} == {
        "one.csv": b"1\n",
        "sub/two.csv": b"22\n",
    }
    assert written == 5


def test_the_same_data_is_stored_once_wherever_it_lies(data: Path, home: Home, tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "store", bucket=LOCAL_BUCKET)
    (first,), _ = send({"train": str(data)}, home, store)
    moved = data.rename(tmp_path / "moved")
    (second,), written = send({"other": f"file://{moved}"}, home, store)
    assert (second.s3_uri, written) == (first.s3_uri, 0)
    (moved / "one.csv").write_text("3\n")
    (third,), written = send({"train": moved}, home, store)
    assert third.s3_uri != first.s3_uri
    assert written > 0


def test_data_in_memory_is_one_file(home: Home) -> None:
    store = MemoryStore()
    channels, _ = send({"x": np.arange(3)}, home, store)
    again, written = send({"x": np.arange(3)}, home, store)
    assert (channels, 0) == (again, written)
    assert [key.rpartition("/")[2] for key in store.objects] == ["data.npy"]
    assert not any((home.cache / "incoming").iterdir())


def test_what_is_not_here_goes_as_it_was_given(home: Home) -> None:
    given = {
        "plain": "s3://bucket/data",
        "augmented": TrainingInput(
            "s3://bucket/list.jsonl",
            distribution="ShardedByS3Key",
            compression="Gzip",
            content_type="image/jpeg",
            record_wrapping="RecordIO",
            s3_data_type="AugmentedManifestFile",
            instance_groups=["cpu"],
            input_mode="Pipe",
            attribute_names=["source-ref", "label"],
            shuffle_config=ShuffleConfig(7),
        ),
        "hub": TrainingInput(
            "s3://hub/model/",
            hub_access_config={"HubContentArn": "arn:x"},
            model_access_config={"AcceptEula": True},
        ),
        "efs": FileSystemInput("fs-01234567", "EFS", "/data", content_type="text/csv"),
        "set": ARN,
    }
    channels, written = send(given, home, MemoryStore())
    assert written == 0
    assert channels == (
        Channel(name="plain", s3_uri="s3://bucket/data"),
        Channel(
            name="augmented",
            s3_uri="s3://bucket/list.jsonl",
            s3_data_type="AugmentedManifestFile",
            content_type="image/jpeg",
            input_mode="Pipe",
            distribution="ShardedByS3Key",
            compression="Gzip",
            record_wrapper="RecordIO",
            shuffle_seed=7,
            attribute_names=("source-ref", "label"),
            instance_groups=("cpu",),
        ),
        Channel(name="hub", s3_uri="s3://hub/model/", hub_content_arn="arn:x", accept_eula=True),
        Channel(
            name="efs",
            content_type="text/csv",
            file_system=FileSystem(id="fs-01234567", type="EFS", directory_path="/data"),
        ),
        Channel(name="set", dataset_arn=ARN),
    )


def test_options_hold_for_local_data_too(data: Path, home: Home) -> None:
    (channel,), _ = send({"train": TrainingInput(data, input_mode="FastFile")}, home, MemoryStore())
    assert channel.input_mode == "FastFile"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (TrainingInput("s3://b-1/m", s3_data_type="AugmentedManifestFile"), "needs attribute_names"),
        (TrainingInput("s3://b-1/m", attribute_names=["a"]), "those of an augmented manifest"),
        (TrainingInput("s3://b-1/m", s3_data_type="ManifestFile", input_mode="FastFile"), "no manifest"),
        (TrainingInput("data", s3_data_type="ManifestFile"), "the data is local"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given: TrainingInput, reason: str, home: Home) -> None:
    with pytest.raises(ConfigError, match=reason):
        send({"train": given}, home, MemoryStore())


def test_one_wrong_channel_keeps_all_others_back(data: Path, home: Home) -> None:
    store = MemoryStore()
    with pytest.raises(ConfigError, match="'test'"):
        send({"train": data, "test": data / "nothing"}, home, store)
    assert store.objects == {}


def test_what_a_power_cut_left_is_replaced(data: Path, home: Home) -> None:
    store = MemoryStore()
    send({"train": data}, home, store)
    torn = next(key for key in store.objects if key.endswith("two.csv"))
    store.objects[torn] = b"2"
    assert send({"train": data}, home, store)[1] == 3
    assert store.objects[torn] == b"22\n"


def test_what_somebody_else_put_beside_the_data_is_refused(data: Path, home: Home) -> None:
    store = MemoryStore()
    (channel,), _ = send({"train": data}, home, store)
    store.objects[f"{channel.s3_uri.removeprefix('s3://bucket/prefix/')}evil.pkl"] = b"x"
    with pytest.raises(StorageError, match=r"evil\.pkl"):
        send({"train": data}, home, store)


def test_a_file_that_changes_while_it_is_sent_is_not_kept(data: Path, home: Home) -> None:
    store = MemoryStore()
    with gather_inputs(InputsRequest(values={"train": data}), home=home, store=store) as gathered:
        (data / "one.csv").write_text("9\n")
        with pytest.raises(CorruptBlob, match="changed while"):
            gathered.upload()
    assert not any(key.endswith("one.csv") for key in store.objects)


def test_a_dry_run_lists_the_data_and_reads_none_of_it(data: Path) -> None:
    (data / "one.csv").chmod(0)
    request = InputsRequest(values={"train": data, "x": np.zeros((2, 3)), "far": "s3://bucket/data"})
    train, array, far = list_input_items(request)
    assert (train.name, train.size_bytes) == (f"train: {data} (2 files)", 5)
    assert (array.name, array.size_bytes) == ("x: ndarray of 2 x 3 as data.npy", 48)
    assert (far.name, far.size_bytes) == ("far: s3://bucket/data", 0)
