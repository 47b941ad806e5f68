"""What a fire-drill does and reports."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sm_remote.jobs.repetition.drill_plan import DrillReport, count_interruptions, plan_drill, recommend_interval_s


@pytest.mark.parametrize("count", [1, 2, 5, 20, 200])
def test_all_interruptions_are_dealt_out_and_leave_time_to_get_on(count):
    parts = plan_drill(count, 7, work_s=100.0)
    assert sum(len(part.blows) for part in parts) == count
    for part in parts:
        assert sum(blow.after_s for blow in part.blows) < 100.0
        assert all(0 < blow.after_s < 100.0 for blow in part.blows)
    assert not any(blow.in_write for part in parts if not part.deaf for blow in part.blows)


def test_the_seed_decides():
    assert plan_drill(20, 1, 10.0) == plan_drill(20, 1, 10.0) != plan_drill(20, 2, 10.0)
    deaf = [blow for part in plan_drill(200, 1, 10.0) if part.deaf for blow in part.blows]
    assert len(deaf) == 140
    assert 40 <= sum(blow.in_write for blow in deaf) <= 100


def test_the_interval_is_youngs_and_dalys():
    assert recommend_interval_s(10.0, 0.0, 3600.0) == pytest.approx(math.sqrt(2 * 10 * 3600) - 10)
    assert recommend_interval_s(10.0, 100.0, 3600.0) > recommend_interval_s(10.0, 0.0, 3600.0)
    assert recommend_interval_s(8000.0, 0.0, 3600.0) == 3600.0
    assert recommend_interval_s(0.0, 5.0, 3600.0) == 0.0


REPORT = DrillReport(
    jobs=("a", "b"),
    interruptions=20,
    during_writes=7,
    torn=3,
    deaf=14,
    work_s=50.0,
    lost_s=(0.5, 1.5),
    lost_saves=(0, 1),
    restart_s=(2.0, 4.0),
    saves=10,
    saving_s=1.0,
    life_s=3600.0,
)


def test_the_report_says_what_it_counted_and_what_it_recommends():
    text = str(REPORT)
    assert "20 interruptions, 7 of them while a checkpoint was written, 14 without a notice, 3 with" in text
    assert "lost work       1.00 s each, at most 1.50 s" in text
    assert "restart         3.00 s each" in text
    assert "10 times, 100 ms each, 2.0 % of the time" in text
    assert "every 27 s (Young/Daly: 0.100 s to save, 3.0 s to restart, an interruption every 1 h)" in text
    assert REPORT.recommended_interval_s == pytest.approx(26.74, abs=0.01)


def test_without_a_checkpoint_nothing_is_recommended():
    bare = replace(REPORT, saves=0, saving_s=0.0, lost_s=(), restart_s=())
    assert bare.recommended_interval_s is None
    assert str(bare).endswith("none: every interruption costs all that was done")


def test_one_interruption_is_no_plural() -> None:
    assert [count_interruptions(count) for count in (1, 2)] == ["1 interruption", "2 interruptions"]
