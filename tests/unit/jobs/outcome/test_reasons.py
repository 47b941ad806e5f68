"""Why a job failed is told in its own words, and nothing is said that is not known."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.jobs.outcome.reasons import build_out_of_memory, render_reason

DESCRIPTION = parse_description(
    {
        "TrainingJobName": "fit-1",
        "TrainingJobArn": "",
        "TrainingJobStatus": "Failed",
        "SecondaryStatus": "Failed",
        "CreationTime": datetime(2026, 11, 21, tzinfo=timezone.utc),
        "ResourceConfig": {"InstanceType": "ml.m5.large"},
    }
)


@pytest.mark.parametrize(
    ("limit", "peak", "shown"),
    [
        (8 << 30, 15 << 29, "used 7.5 GiB, limit 8.0 GiB, ml.m5.large"),
        (None, 14 << 20, "used 14 MiB, ml.m5.large"),
        (None, None, "ml.m5.large"),
    ],
)
def test_what_is_not_known_of_memory_is_not_said(limit: int | None, peak: int | None, shown: str) -> None:
    error = build_out_of_memory(DESCRIPTION, limit_bytes=limit, peak_bytes=peak)
    assert error.what == f"Training job fit-1 ran out of memory ({shown})."
    assert "retry_on=OutOfMemory" in error.fix


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("AlgorithmError: ValueError: no data, exit code: 1", "ValueError: no data"),
        ("AlgorithmError: one line\nand another, exit code: 137", "one line\nand another"),
        ("AlgorithmError: , exit code: 3", "AlgorithmError: , exit code: 3"),
        ("ClientError: Data download failed: no such key", "ClientError: Data download failed: no such key"),
    ],
)
def test_a_reason_is_shown_in_the_jobs_own_words_where_there_are_any(reason: str, shown: str) -> None:
    assert render_reason(reason) == shown
