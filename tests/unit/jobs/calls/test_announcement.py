"""The first line of a `map` says where its jobs run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.home import Discovery
from sm_remote.jobs.calls.announcement import announce_many
from sm_remote.settings import resolve_settings

GONE = Discovery(pid=1, port=1, version="0.1.0", instance="i1", access_key="SMRLKEY", secret_key="secret")


def connect(discovery: Discovery | None) -> Any:
    """A connection whose service, if it has one, does not answer."""
    return SimpleNamespace(training_jobs=SimpleNamespace(session=SimpleNamespace(discovery=discovery)))


@pytest.mark.parametrize(
    ("arguments", "discovery", "told"),
    [
        (
            {"target": "sagemaker", "instance_type": "ml.m5.xlarge"},
            None,
            "sm_remote: training jobs on Amazon SageMaker (as ml.m5.xlarge, at most 3 at a time)",
        ),
        ({}, GONE, "sm_remote: training jobs on this machine (as ml.m5.large, at most 3 at a time)"),
        ({"instance_type": "local"}, GONE, "sm_remote: training jobs on this machine (all of it, at most 3 at a time)"),
    ],
)
def test_it_names_place_size_and_limit_also_while_nobody_answers(
    tmp_path: Path, arguments: dict[str, Any], discovery: Discovery | None, told: str
) -> None:
    settings = resolve_settings(arguments, environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert announce_many(connect(discovery), settings, limit=3) == told
