"""Rows and descriptions for the panel's tests."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from sm_remote.server.rows import JobRow
from tests.fakes.cli_world import build_answer


@pytest.fixture
def answer():
    return build_answer


@pytest.fixture
def row():
    def build(name: str = "fit-1", **more) -> JobRow:
        return JobRow(**{"name": name, "target": "local", "status": "InProgress", "created_ms": 1000, **more})

    return build


@pytest.fixture
def moment() -> datetime:
    return datetime(2026, 11, 21, 9, 0, tzinfo=timezone.utc)
