"""Which channels settings may name: any data in code, only what means the same everywhere in a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sm_remote.errors import ConfigError
from sm_remote.inputs import FileSystemInput, TrainingInput
from sm_remote.settings.portable import check_notebook_values, explain_private
from sm_remote.settings.schema import check_value

ACCEPTED = [
    "s3://bucket/data",
    "s3://bucket",
    "data/train",
    Path("data"),
    "file:///data",
    np.zeros(2),
    pd.DataFrame({"x": [1]}),
    TrainingInput("s3://bucket/data", input_mode="FastFile"),
    FileSystemInput("fs-01234567", "EFS", "/"),
    {"s3_data": "s3://bucket/data", "input_mode": "Pipe"},
    {"file_system_id": "fs-01234567", "file_system_type": "EFS", "directory_path": "/"},
]


@pytest.mark.parametrize("value", ACCEPTED, ids=lambda value: type(value).__name__)
def test_data_of_every_kind_is_accepted(value) -> None:
    assert check_value("inputs", {"train": value}, origin="argument")["train"] is value


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"sm_remote": "s3://bucket"}, "'sm_remote' is not allowed"),
        ({"sm_remote_layer": "s3://bucket"}, "not allowed"),
        ({"..": "s3://bucket"}, "not allowed"),
        ({"a b": "s3://bucket"}, "not allowed"),
        ({1: "s3://bucket"}, "not allowed"),
        ({"train": 3}, r"builtins\.int is no data"),
        ({"train": None}, "NoneType"),
        ({"train": [1, 2]}, "list"),
        ({"train": ""}, "empty"),
        ({"train": "S3://bucket/data"}, "no s3:// URI and no path"),
        ({"train": "https://example.com/data"}, "no s3:// URI and no path"),
        ({"train": {"s3_data": "s3://bucket", "input_mod": "File"}}, "input_mod"),
        ({"train": {"s3_data": "s3://bucket", "target_attribute_name": "y"}}, "target_attribute_name"),
        ({"train": {"s3_data": "s3://bucket", "attribute_names": "y"}}, "single text"),
        ({str(number): "s3://bucket" for number in range(19)}, "19 channels"),
        ("s3://bucket", "Its type is str"),
    ],
)
def test_what_no_channel_can_be_is_refused(inputs, reason) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        check_value("inputs", inputs, origin="argument")
    assert "s3:// URIs" in caught.value.fix


def test_a_refusal_shows_nothing_of_the_data() -> None:
    with pytest.raises(ConfigError) as caught:
        check_value("inputs", {"a b": pd.DataFrame({"secret": [4711]})}, origin="argument")
    assert "4711" not in str(caught.value)
    assert "4711" not in repr(TrainingInput(pd.DataFrame({"secret": [4711]})))


@pytest.mark.parametrize("value", ["data/train", "file:///data", {"s3_data": "data"}])
def test_a_notebook_carries_no_local_path(value) -> None:
    with pytest.raises(ConfigError, match="local path"):
        check_notebook_values({"inputs": {"train": value}}, origin="The notebook")
    assert "this machine alone" in str(explain_private("inputs", {"train": value}))


def test_a_notebook_carries_places_in_s3() -> None:
    values = {"inputs": {"train": {"s3_data": "s3://bucket/data", "input_mode": "FastFile"}}}
    assert check_notebook_values(values, origin="The notebook") == values
    assert explain_private("inputs", values["inputs"]) is None


def test_a_path_in_a_file_is_relative_to_the_file(place) -> None:
    place.write_project_file(
        """
        [tool.sm_remote.inputs]
        train = "data/train"
        far = "s3://bucket/data"
        fast = {s3_data = "data/fast", input_mode = "FastFile"}
        """
    )
    inputs = place.resolve().inputs
    assert inputs["train"] == str(place.project / "data/train")
    assert inputs["far"] == "s3://bucket/data"
    assert inputs["fast"]["s3_data"] == str(place.project / "data/fast")
