"""CheckpointConfig: where checkpoints lie in the container and in S3.

Source: API_CheckpointConfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

DEFAULT_LOCAL_PATH = "/opt/ml/checkpoints"


def find_local_path(config: Mapping[str, Any]) -> str:
    """Where a job of this CheckpointConfig finds its checkpoints."""
    return str(PurePosixPath(config.get("LocalPath", DEFAULT_LOCAL_PATH)))
