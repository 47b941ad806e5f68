"""How checkpoints lie in their directory, and so in S3.

::

    <directory>/<name>[.<rank>]/
        00000012-5f0c9a17/          one generation; its name is never used twice
            state.smr               what `save` was given, as a payload (docs/wire-format.md)
            files/...               what a framework left in `Checkpoint.path`
            manifest.json           written last: without it the generation is not there
        finished.json               up to which generation a run came to its end
        next.sagemaker-ignore/      `Checkpoint.path`
        lock.sagemaker-ignore

SageMaker copies single files, in any order, whenever it likes. So no file of a generation is ever written twice, each
appears by a rename, and only a manifest whose files all have their digests makes a generation.
"""

from __future__ import annotations

import re

STATE = "state.smr"
FILES = "files"
MANIFEST = "manifest.json"
FINISHED = "finished.json"

IGNORED = ".sagemaker-ignore"
"""What SageMaker does not upload ends so. Source: aws/sagemaker-xgboost-container, checkpointing.py."""
UPLOADING = ".sagemaker-uploading"
UPLOADED = ".sagemaker-uploaded"
"""Empty files that SageMaker puts beside a file: while it is uploaded, and once it has been. Source: as above."""

STAGING = f"next{IGNORED}"
LOCK = f"lock{IGNORED}"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_GENERATION = re.compile(r"(\d{8,})-[0-9a-f]{8}")


def is_name(text: str) -> bool:
    """Whether a checkpoint can have this name: it becomes a directory's and part of a key in S3."""
    return _NAME.fullmatch(text) is not None and not text.endswith((IGNORED, UPLOADING, UPLOADED))


def is_bookkeeping(name: str) -> bool:
    """Whether a file is the platform's or a temporary one of ours, and no part of a checkpoint."""
    return name.endswith((IGNORED, UPLOADING, UPLOADED))


def build_generation_name(number: int, token: str) -> str:
    """The directory of a generation; ``token`` is 8 random hexadecimal digits."""
    return f"{number:08d}-{token}"


def read_generation_number(name: str) -> int | None:
    """The number in a generation's directory name; None where it is none."""
    match = _GENERATION.fullmatch(name)
    return int(match[1]) if match else None
