"""A fire-drill finds a loop that does not go on where it was, and passes one that does.

Here in processes; the example of spot capacity drills in containers.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sm_remote import checkpoint, remote
from sm_remote.capture.script_body import read_script
from sm_remote.cli.app import app
from sm_remote.errors import ConfigError, DrillFailed
from tests.cells import run_cell

pytestmark = pytest.mark.service

SOURCE = """
@remote(max_runtime_in_seconds=300)
def train(steps):
    import random
    import time

    chance = random.Random(1)
    with checkpoint("state") as ckpt:
        state = ckpt.load(default={"step": 0, "value": 0.0, "random": chance.getstate()})
        if {restores}:
            chance.setstate(state["random"])
        for step in range(state["step"], steps):
            time.sleep(0.02)
            value = state["value"] + chance.random()
            state = {"step": step + 1, "value": value, "random": chance.getstate()}
            ckpt.save(state, step=step, metric=value)
            if ckpt.interrupted:
                break
    return state["value"]
"""


def define(*, restores: bool) -> Any:
    names = {"__name__": "__main__", "remote": remote, "checkpoint": checkpoint}
    return run_cell(SOURCE.replace("{restores}", str(restores)), names)["train"]


def test_a_loop_that_goes_on_where_it_was_comes_to_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    report = define(restores=True).drill(150, interruptions=8, seed=2)
    assert report.interruptions == 8
    assert report.deaf == 6
    assert report.during_writes >= 1
    assert len(report.jobs) == 3
    assert report.saves == 150
    assert 0 < report.saving_s < report.work_s
    assert len(report.restart_s) >= 6
    assert len(report.lost_saves) >= 6
    assert max(report.lost_saves) <= 1
    assert report.recommended_interval_s is not None
    assert "drill: uninterrupted: train-" in capsys.readouterr().out


def test_a_loop_that_forgets_a_part_of_its_state_is_found() -> None:
    with pytest.raises(DrillFailed, match="came to another value") as caught:
        define(restores=False).drill(60, interruptions=3, seed=1)
    assert "random generators" in caught.value.fix
    assert caught.value.facts["expected"] != caught.value.facts["value"]
    again = define(restores=False).drill(60, interruptions=3, seed=1, compare=lambda one, other: abs(one - other) < 60)
    assert again.interruptions == 3


def test_a_function_without_a_checkpoint_is_drilled_too() -> None:
    @remote(max_runtime_in_seconds=300)
    def add(n: int) -> int:
        import time

        time.sleep(2)
        return n + 1

    report = add.drill(1, interruptions=2, seed=1)
    assert report.interruptions == 2
    assert report.recommended_interval_s is None


def test_a_drill_without_interruptions_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        define(restores=True).drill(1, interruptions=0)


SCRIPT = """
import os
import sys
import time

import numpy as np

from sm_remote import checkpoint

COUNT = int(sys.argv[1])


def main():
    with checkpoint("state") as ckpt:
        weights, done = ckpt.load(default=(np.zeros(3), 0))
        for number in range(done, COUNT):
            time.sleep(0.02)
            weights = weights + np.ones(3)
            ckpt.save((weights, number + 1), step=number)
            if ckpt.interrupted:
                break
    np.save(os.path.join(os.environ["SM_MODEL_DIR"], "weights.npy"), weights)


if __name__ == "__main__":
    main()
"""


def test_a_script_is_drilled_from_the_command_line(tmp_path: Path) -> None:
    script = tmp_path / "fit it.py"
    script.write_text(SCRIPT)
    done = CliRunner().invoke(app, ["drill", "--interruptions", "3", str(script), "60"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "3 interruptions, " in done.output
    assert "the result is the same." in done.output


def test_a_script_that_is_no_python_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("def f(:")
    done = CliRunner().invoke(app, ["drill", str(script)])
    assert done.exit_code == 1
    assert "SyntaxError" in done.output


def test_what_a_script_leaves_is_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path))
    script = tmp_path.parent / "leave.py"
    script.write_text(
        "import os, sys, pathlib\n"
        "pathlib.Path(os.environ['SM_MODEL_DIR'], sys.argv[1]).write_text(__name__)\n"
        "sys.exit(int(sys.argv[2]))\n"
    )
    before = sys.argv
    digest = hashlib.sha256(b"__main__").hexdigest()
    assert read_script(script, ["name", "0"])() == {"SM_MODEL_DIR/name": digest}
    with pytest.raises(SystemExit):
        read_script(script, ["name", "3"])()
    assert sys.argv is before
