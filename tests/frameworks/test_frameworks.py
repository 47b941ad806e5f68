"""The examples for frameworks: each is at most ten lines, and goes on where it was interrupted. Tables and tensors."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "checkpoints"
NAMES = ("pytorch", "keras", "lightning", "trainer")
EPOCHS = 6


@pytest.mark.parametrize("name", NAMES)
def test_an_example_has_at_most_ten_lines(name: str) -> None:
    """Lines of `train` that are not its signature and not empty; a block may close with ``break``."""
    source = (EXAMPLES / f"with_{name}.py").read_text()
    (train,) = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "train"]
    lines = source.splitlines()[train.body[0].lineno - 1 : train.end_lineno]
    assert len([line for line in lines if line.strip()]) <= 10


def run(python: Path, name: str, home: Path, *, stop_at: int = 0) -> tuple[dict[str, Any] | None, str]:
    done = subprocess.run(
        [python, Path(__file__).with_name("run_example.py"), name, str(EPOCHS), str(stop_at)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SM_REMOTE_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    results = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert results or done.returncode == -signal.SIGTERM, done.stderr[-3000:]
    return (json.loads(results[0]) if results else None), done.stderr


@pytest.mark.slow
@pytest.mark.frameworks
@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_one_comes_to_the_same_weights(frameworks: Path, tmp_path: Path, name: str) -> None:
    whole, _ = run(frameworks, name, tmp_path / "whole")
    assert whole is not None
    cut, said = run(frameworks, name, tmp_path / "cut", stop_at=20)  # in the third epoch
    assert cut is None, "the process ends by the signal that it was sent"
    assert "saved in" in said
    again, said = run(frameworks, name, tmp_path / "cut")
    assert again is not None
    assert "goes on from step" in said
    assert again["weights"] == whole["weights"]
    assert again["looks"] < whole["looks"]


@pytest.mark.slow
@pytest.mark.frameworks
def test_a_table_is_parquet_where_there_is_pyarrow(frameworks: Path, tmp_path: Path) -> None:
    """The channel of a DataFrame keeps its types, and the same frame is the same file."""
    program = [frameworks, Path(__file__).with_name("write_tables.py"), tmp_path]
    done = subprocess.run(program, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "frame": {"name": "data.parquet", "types": ["int64", "datetime64[us]", "category"], "same": True},
        "table": {"name": "data.parquet", "rows": [1, 2]},
    }


@pytest.mark.slow
@pytest.mark.frameworks
@pytest.mark.parametrize("bare", [False, True], ids=["beside numpy", "without numpy"])
def test_tensors_are_out_of_band_and_keep_sharing_memory(frameworks: Path, tmp_path: Path, bare: bool) -> None:
    program = [frameworks, "-W", "ignore", Path(__file__).with_name("send_tensors.py"), tmp_path / "payload"]
    done = subprocess.run(
        [*program, *(["bare"] if bare else [])],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("size_bytes") < 7000  # 4000 of them are the tensor that three of the values share
    assert found == {"view": 99, "stride": [1, 100], "weight": True, "empty": 0, "numpy": not bare}
