"""A process that saves is killed hundreds of times, at random moments: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from sm_remote.checkpoints.checkpoint import Checkpoint
from tests.checkpoint_places import build_place, copy_torn

KILLS = 300


def build_state(step: int) -> dict[str, object]:
    return {"step": step, "weights": np.full(60_000, step, dtype=np.int64)}


def check(state: dict[str, object], step: int) -> None:
    assert state["step"] == step
    assert np.array_equal(state["weights"], build_state(step)["weights"])


def save_for_ever(directory: Path, report: int) -> NoReturn:
    """Tells of each step that it begins and of each that `save` has acknowledged, until it is killed."""
    try:
        with Checkpoint("state", build_place(directory), keep=3) as ckpt:
            state = ckpt.load(default={"step": -1})
            check(state, state["step"]) if state["step"] >= 0 else None
            for step in range(state["step"] + 1, 1 << 30):
                os.write(report, f"b{step}\n".encode())
                (ckpt.path / "model").write_bytes(str(step).encode())
                ckpt.save(build_state(step), step=step, metric=-(step % 7))
                os.write(report, f"e{step}\n".encode())
    finally:
        os._exit(1)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_hundreds_of_kills_lose_at_most_the_step_that_was_being_saved(tmp_path, capfd):
    chance = random.Random(5)
    directory = tmp_path / "checkpoints"
    acknowledged, during = -1, 0
    for kill in range(KILLS):
        acknowledged, was_saving = _run_and_kill(directory, acknowledged, chance.uniform(0.001, 0.03))
        during += was_saving
        copy = copy_torn(directory, tmp_path / f"copy-{kill}", seed=kill, progress=chance.random(), tear=True)
        with Checkpoint("state", build_place(copy)) as ckpt:
            state = ckpt.load(default=None)
            assert state is None or state["step"] == ckpt.step
            if state is not None:
                check(state, ckpt.step)
                assert ckpt.load_file("model", Path.read_bytes) == str(ckpt.step).encode()
    assert during >= 40
    assert acknowledged > KILLS / 20
    assert len([path for path in (directory / "state").iterdir() if path.name[0].isdigit()]) <= 5


def _run_and_kill(directory: Path, acknowledged: int, after_s: float) -> tuple[int, bool]:
    """Starts a process that saves, kills it so long after its first step began, and looks at what it left.

    Returns:
        The last step that is safe, and whether the process was killed while it saved.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(directory, writer)
    os.close(writer)
    told = os.read(reader, 64)
    time.sleep(after_s)  # a random moment is what is wanted
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    while part := os.read(reader, 1 << 16):
        told += part
    os.close(reader)
    lines = told.decode().splitlines()
    acknowledged = max([acknowledged, *(int(line[1:]) for line in lines if line[0] == "e")])
    begun = max(int(line[1:]) for line in lines)
    with Checkpoint("state", build_place(directory)) as ckpt:
        state = ckpt.load(default={"step": -1})
        assert acknowledged <= state["step"] <= begun <= acknowledged + 1
        if state["step"] >= 0:
            check(state, state["step"])
    return max(acknowledged, state["step"]), lines[-1][0] == "b"
