"""A Python with PyTorch and other frameworks, which are too large for .venv. Registered by the conftest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def frameworks() -> Path:
    """The Python that has them."""
    made = subprocess.run([ROOT / "scripts" / "setup-frameworks.sh"], capture_output=True, text=True)
    if made.returncode:
        from tests.conftest import skip_or_fail

        skip_or_fail(f"the frameworks cannot be installed: {made.stderr.strip()[-300:]}")
    return ROOT / ".frameworks" / "bin" / "python"


@pytest.fixture(scope="session")
def framework_packages(frameworks: Path) -> Path:
    """The directory that holds them."""
    (packages,) = (frameworks.parents[1] / "lib").glob("python*/site-packages")
    return packages
