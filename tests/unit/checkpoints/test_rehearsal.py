"""In a drill a save holds still where an interruption hurts, once a process; outside of one nothing does."""

from __future__ import annotations

from sm_remote.checkpoints import rehearsal
from sm_remote.checkpoints.checkpoint import Checkpoint
from sm_remote.checkpoints.rehearsal import OPEN, POINTS, SAVED, WRITING, Rehearsal, find_rehearsal
from sm_remote.wire.layout import DRILL_VARIABLE
from tests.checkpoint_places import build_place


def test_only_a_drills_request_wakes_it():
    assert find_rehearsal({}) is None
    assert find_rehearsal({DRILL_VARIABLE: "0.25,deaf"}) == Rehearsal(share=0.25, deaf=True)
    assert find_rehearsal({DRILL_VARIABLE: "0.0,hearing"}) == Rehearsal(share=0.0, deaf=False)


def test_the_job_tells_where_it_is_and_one_save_holds_still(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(DRILL_VARIABLE, "1.0,hearing")
    monkeypatch.setattr(rehearsal, "HOLD_S", 0.0)
    with Checkpoint("state", build_place(tmp_path)) as ckpt:
        for step in range(3):
            ckpt.save({"step": step}, step=step)
        assert ckpt.load() == {"step": 2}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{OPEN} -"
    assert [line for line in lines if line.startswith(SAVED)] == [f"{SAVED} {step}" for step in range(3)]
    (held,) = [line.removeprefix(f"{WRITING} ") for line in lines if line.startswith(WRITING)]
    assert held in POINTS
