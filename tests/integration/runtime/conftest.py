from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.runtime.driver import JobTree


@pytest.fixture
def tree(tmp_path: Path) -> JobTree:
    return JobTree(tmp_path)
