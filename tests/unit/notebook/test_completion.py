"""What Tab offers on a line of ours."""

from __future__ import annotations

import pytest

from sm_remote.notebook.completion import complete_line

NAMES = ["df", "depth", "_hidden", "model"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%%remote --dry", ["--dry-run"]),
        ("%%remote --spo", ["--spot"]),
        ("%%remote --instance-type ml.g5.x", ["ml.g5.xlarge"]),
        ("%%remote --instance-type=ml.g5.x", ["ml.g5.xlarge"]),
        ("%%remote --target ", ["local", "sagemaker"]),
        ("%%remote --preflight f", ["false"]),
        ("%%remote --in d", ["df", "depth"]),
        ("%%remote --out df,m", ["model"]),
        ("%remote re", ["reset"]),
        ("%%remote --role ", []),
    ],
)
def test_flags_values_and_names_are_offered(line: str, offered: list[str]) -> None:
    assert complete_line(line, NAMES) == offered
