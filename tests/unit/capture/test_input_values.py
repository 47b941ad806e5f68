"""Data in memory as a file: the format is told beforehand, and what it cannot hold is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sm_remote.capture.input_values import choose_file_name, measure_data, write_data
from sm_remote.errors import ConfigError

FRAME = pd.DataFrame({"x": [1, 2], "name": ["a", "ü,b"]})


def test_an_array_is_a_file_without_pickle(tmp_path: Path) -> None:
    array = np.arange(6, dtype="float32").reshape(2, 3)
    path = tmp_path / choose_file_name("train", array, None)
    write_data("train", array, path)
    assert path.name == "data.npy"
    assert np.array_equal(np.load(path, allow_pickle=False), array)
    assert measure_data(array) == 24


def test_a_frame_is_csv_with_a_header_where_there_is_no_pyarrow(tmp_path: Path) -> None:
    path = tmp_path / choose_file_name("train", FRAME, None, has_pyarrow=lambda: False)
    write_data("train", FRAME, path)
    assert path.read_text() == 'x,name\n1,a\n2,"ü,b"\n'
    assert measure_data(FRAME) > 0


def test_an_index_that_means_something_is_written(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    write_data("train", FRAME.set_index("name"), path)
    assert path.read_text().splitlines()[0] == "name,x"


@pytest.mark.parametrize(
    ("content_type", "has_pyarrow", "name"),
    [
        (None, True, "data.parquet"),
        (None, False, "data.csv"),
        ("text/csv", True, "data.csv"),
        ("application/x-parquet", False, "data.parquet"),
        ("text/plain", True, "data.parquet"),
    ],
)
def test_a_frames_format_is_chosen_by_pyarrow_or_by_its_content_type(content_type, has_pyarrow, name) -> None:
    assert choose_file_name("train", FRAME, content_type, has_pyarrow=lambda: has_pyarrow) == name


@pytest.mark.parametrize(
    "array", [np.array([object()]), np.array(["a", None], dtype=object), np.ma.masked_array([1, 2], mask=[0, 1])]
)
def test_an_array_that_would_lose_something_is_refused(array) -> None:
    with pytest.raises(ConfigError, match="'train'") as caught:
        choose_file_name("train", array, None)
    assert caught.value.fix


def test_parquet_that_cannot_be_written_is_refused_with_the_other_format(tmp_path: Path) -> None:
    mixed = pd.DataFrame({"x": [1, {"not": "a column"}, object()]})
    with pytest.raises(ConfigError, match="nothing was sent") as caught:
        write_data("train", mixed, tmp_path / "data.parquet")
    assert "text/csv" in caught.value.fix
