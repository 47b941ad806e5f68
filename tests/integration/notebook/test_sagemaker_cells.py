"""Cells with ``target="sagemaker"``: polled logs, names by way of a real S3 server."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.settings import set_session_settings
from tests.integration.test_sagemaker_target import divide as divide
from tests.integration.test_sagemaker_target import s3_requests as s3_requests
from tests.notebook_shell import Notebook

pytestmark = [pytest.mark.service, pytest.mark.s3, pytest.mark.slow]


def test_a_cell_goes_to_sagemaker_and_its_names_come_back_by_s3(divide: Any, notebook: Notebook) -> None:
    set_session_settings(divide._arguments)
    notebook.run("rows = [1]")
    text = notebook.run("%%remote\nprint('there')\nrows.append(2)\ndisplay({'n': len(rows)})\nlarge = bytes(3_000_000)")
    assert "on Amazon SageMaker as ml.m5.large" in text
    assert text.index("there") < text.index("{'n': 2}") < text.index("got large (3.0 MB)")
    assert notebook.names["rows"] == [1, 2]
    assert len(notebook.names["large"]) == 3_000_000


def test_what_is_too_much_is_not_fetched_until_it_is_agreed_to(divide: Any, notebook: Notebook) -> None:
    set_session_settings({**divide._arguments, "cell_limit_bytes": 100_000})
    text = notebook.run("%%remote\nprint('there')\nlarge = bytes(300_000)")
    assert "there" in text
    assert "the cell's names, 30" in text
    assert "large" not in notebook.names
    name = text.rpartition("%remote attach ")[2].split()[0]
    assert "got large (300" in notebook.run(f"%remote attach {name} --yes")
