"""Jobs as a user of boto3 starts them on the real service: some Python, in the local Python image."""

from __future__ import annotations

import bz2
from typing import Any

from tests.fakes.service import build_request

ROOT = """
import os, pathlib, time
ml = pathlib.Path(os.environ.get("SM_REMOTE_ML_ROOT", "/opt/ml"))
"""
_PIECE_CHARACTERS = 200
"""An argument of a container holds 256 at most."""
_UNPACK = "import sys, bz2; exec(bz2.decompress(bytes.fromhex(''.join(sys.argv[1:]))))"


def build_python_job(name: str, code: str, image: str, **members: Any) -> dict[str, Any]:
    """A request for a job that runs some code, which finds /opt/ml as ``ml``."""
    packed = bz2.compress((ROOT + code).encode()).hex()
    pieces = [packed[start : start + _PIECE_CHARACTERS] for start in range(0, len(packed), _PIECE_CHARACTERS)]
    algorithm = {
        "TrainingImage": image,
        "ContainerEntrypoint": ["python3", "-c"],
        "ContainerArguments": [_UNPACK, *pieces],
    }
    return build_request(name, AlgorithmSpecification=algorithm, **members)
