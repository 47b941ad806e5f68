"""A 1 GiB array saved as a checkpoint, against writing and syncing the same bytes; and loaded, against copying them.

Candidates take turns on the same disk. Each save is a generation of its own, synced with its manifest, and pruning the
oldest is part of it; so the plain write replaces a file. Also: what a small state costs. The synchronisation with S3
is the platform's, and holds up no loop.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import describe_machine, show_figure, show_ratio, show_times, take_turns

from sm_remote.checkpoints.checkpoint import Checkpoint
from sm_remote.checkpoints.place import Place

SIZE_BYTES = 1 << 30
ROUNDS = 5


def main() -> int:
    print(describe_machine())
    with tempfile.TemporaryDirectory(prefix="sm_remote-bench-", dir=os.environ.get("TMPDIR")) as name:
        directory = Path(name)
        if shutil.disk_usage(directory).free < 6 * SIZE_BYTES:
            print(f"{directory} has too little room: set TMPDIR")
            return 1
        measure(directory, np.random.default_rng(0).random(SIZE_BYTES // 8))
    return 0


def measure(directory: Path, array: np.ndarray) -> None:
    plain = directory / "plain"
    plain.mkdir()
    target, copied = plain / "array", plain / "copy"
    place = Place(
        directory=directory / "checkpoints",
        in_job=True,
        synchronised=False,
        function="bench",
        run="bench",
        rank=0,
        rank_names=(),
        resume=True,
    )

    with Checkpoint("array", place, keep=1) as ckpt:
        times = take_turns(
            {"save": lambda: ckpt.save(array), "write and sync": lambda: write(target, array)}, rounds=ROUNDS
        )
        show_times("saving 1 GiB", times)
        show_ratio("save / writing and syncing the same bytes", times["save"], times["write and sync"], goal=1.2)

    times = take_turns({"load": load(place), "copy": lambda: copy(target, copied)}, rounds=ROUNDS)
    show_times("loading 1 GiB", times)
    show_ratio("load, every byte checked / copying the file", times["load"], times["copy"], goal=1.0)

    with Checkpoint("small", place, keep=1) as ckpt:
        small = {"step": 1, "weights": np.zeros(1000)}
        times = take_turns(
            {"save": lambda: ckpt.save(small), "write and sync": lambda: write(plain / "small", small["weights"])},
            rounds=20,
        )
    show_times("saving 8 kB", times)
    show_figure("a small save", 1000 * statistics.median(times["save"]), 50, "ms")


def write(path: Path, array: np.ndarray) -> None:
    """The same bytes, on the disk under their name; the directory too, or a crash could lose the name."""
    temporary = path.with_suffix(".new")
    with open(temporary, "wb") as file:
        file.write(memoryview(array).cast("B"))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def copy(source: Path, target: Path) -> None:
    """What a restore cannot do without."""
    shutil.copyfile(source, target)


def load(place: Place) -> Callable[[], None]:
    def run() -> None:
        with Checkpoint("array", place, keep=1) as ckpt:
            assert float(ckpt.load()[-1]) >= 0

    return run


if __name__ == "__main__":
    sys.exit(main())
