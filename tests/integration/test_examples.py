"""The examples run as they are, each as a program of its own: a notebook on one engine, where it shows the most.

What they call runs on both in tests of its own: calls, cells, drills.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.service


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=280)


def test_the_example_of_the_sagemaker_documentation_needs_another_import_only(engine: str, tmp_path: Path) -> None:
    done = run(EXAMPLES / "divide.py", cwd=tmp_path)
    assert "Calculating 10/5" in done.stdout.splitlines()
    assert done.returncode == 1
    assert "    return x / y" in done.stderr.splitlines()
    assert "ZeroDivisionError: division by zero" in done.stderr


@pytest.mark.slow
@pytest.mark.docker
def test_the_quickstart_trains_a_classifier(tmp_path: Path) -> None:
    done = run(EXAMPLES / "run_notebook.py", EXAMPLES / "quickstart.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"^Accuracy: (0\.\d+)$", done.stdout, re.MULTILINE)
    assert found is not None
    assert float(found[1]) > 0.95
    assert re.search(r"^  train-\S+$", done.stdout, re.MULTILINE)
    assert "make lab" in done.stdout


@pytest.mark.slow
def test_the_example_of_cells_fits_a_curve(tmp_path: Path) -> None:
    done = run(EXAMPLES / "run_notebook.py", EXAMPLES / "cells.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"step 200: mean squared error 0\.0\d+", done.stdout)
    assert "history (39 B) changed in place" in done.stdout
    assert re.search(r"'sin\(1\.5\)': (1\.0|0\.9)", done.stdout)
    assert "no charge" in done.stdout
    assert "sm_remote: got spread (8 B)" in done.stdout


@pytest.mark.slow
@pytest.mark.docker
def test_the_example_of_spot_capacity_loses_nothing(tmp_path: Path) -> None:
    done = run(EXAMPLES / "run_notebook.py", EXAMPLES / "spot.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 epochs, loss 0." in done.stdout
    assert done.stdout.count("Interrupted, from ") == 3
    assert "the result is the same." in done.stdout


def test_a_failing_cell_fails_the_run_with_its_traceback(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('so far')\n1 / 0")])
    nbformat.write(notebook, tmp_path / "fails.ipynb")
    done = run(EXAMPLES / "run_notebook.py", "fails.ipynb", cwd=tmp_path)
    assert done.returncode == 1
    assert "so far" in done.stdout
    assert "ZeroDivisionError" in done.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.ipynb")))
def test_the_committed_notebook_is_valid_and_holds_no_outputs(name: str) -> None:
    notebook = nbformat.read(EXAMPLES / name, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
