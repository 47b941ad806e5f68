"""Places for checkpoints of tests, and copies of them as S3 could hold them."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from sm_remote.checkpoints.layout import is_bookkeeping
from sm_remote.checkpoints.place import Place


def build_place(directory: Path, **members: Any) -> Place:
    """A training job's place; members say what is different."""
    return Place(
        **{
            "directory": directory,
            "in_job": True,
            "synchronised": False,
            "function": "train",
            "run": "train-1",
            "rank": 0,
            "rank_names": (),
            "resume": True,
            **members,
        }
    )


def copy_torn(source: Path, target: Path, *, seed: int, progress: float, tear: bool) -> Path:
    """A copy of a directory whose files arrived in any order, of which the last may be cut off.

    Args:
        source: The job's directory.
        target: A directory that is not there.
        seed: Decides the order.
        progress: Which share of the files has arrived.
        tear: Whether one more file arrived cut off.
    """
    order = random.Random(seed)
    files = sorted(path for path in source.rglob("*") if path.is_file() and not is_bookkeeping(path.name))
    order.shuffle(files)
    count = round(progress * len(files))
    target.mkdir()
    for path in files[:count]:
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    if tear and count < len(files):
        content = files[count].read_bytes()
        cut = target / files[count].relative_to(source)
        cut.parent.mkdir(parents=True, exist_ok=True)
        cut.write_bytes(content[: order.randrange(len(content) + 1)])
    return target
