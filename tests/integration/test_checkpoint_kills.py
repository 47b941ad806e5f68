"""A process that saves is killed hundreds of times, at random moments: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from sm_remote.checkpoints.checkpoint import Checkpoint
from tests.checkpoint_places import build_place, copy_torn

KILLS = 200


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


@pytest.mark.timeout(1200)  # thousands of fsyncs
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_hundreds_of_kills_lose_at_most_the_step_that_was_being_saved(tmp_path, capfd):
    chance = random.Random(5)
    directory = tmp_path / "checkpoints"
    acknowledged, during, save_s = -1, 0, 0.01
    for kill in range(KILLS):
        ended = _run_and_kill(directory, acknowledged, chance.choice((0, 0, 0, 1)), chance.uniform(0, 1.5) * save_s)
        acknowledged, save_s = ended.acknowledged, ended.save_s or save_s
        during += ended.was_saving
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


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """A killed process.

    Attributes:
        acknowledged: The last step that is safe.
        was_saving: Whether it was killed while it saved.
        save_s: How long its last whole save took; None where it was left none.
    """

    acknowledged: int
    was_saving: bool
    save_s: float | None


def _run_and_kill(directory: Path, acknowledged: int, steps: int, after_s: float) -> _Ended:
    """Starts a process that saves, kills it so long after so many of its steps, and looks at what it left.

    Steps are counted, not timed, so that there are enough of them on a machine of any speed.
    """
    descriptor, writer = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(directory, writer)
    os.close(writer)
    save_s = None
    with open(descriptor) as reader:
        lines = [reader.readline()]
        begun_at = time.monotonic()
        for _ in range(steps):
            lines.append(reader.readline())
            save_s = time.monotonic() - begun_at
            lines.append(reader.readline())
            begun_at = time.monotonic()
        time.sleep(after_s)  # a random moment is what is wanted
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        lines += reader.readlines()
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    acknowledged = max([acknowledged, *(int(line[1:]) for line in lines if line[0] == "e")])
    begun = max(int(line[1:]) for line in lines)
    with Checkpoint("state", build_place(directory)) as ckpt:
        state = ckpt.load(default={"step": -1})
        assert acknowledged <= state["step"] <= begun <= acknowledged + 1
        if state["step"] >= 0:
            check(state, state["step"])
    safe = max(acknowledged, state["step"])
    return _Ended(acknowledged=safe, was_saving=lines[-1][0] == "b", save_s=save_s)
