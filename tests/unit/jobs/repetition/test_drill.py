"""How much an interruption has cost is read out of what the job told of itself."""

from __future__ import annotations

import pytest

from sm_remote.checkpoints.rehearsal import OPEN, SAVED, WRITING
from sm_remote.jobs.repetition.drill import _Mark, count_lost_saves, measure_loss


def tell(*marks):
    return [_Mark(text=text, at=at) for text, at in marks]


FIRST = [(f"{OPEN} -", 1.0), (f"{SAVED} 0", 2.0), (f"{SAVED} 1", 3.0), (f"{WRITING} begun", 3.5)]


@pytest.mark.parametrize(
    ("resumed", "lost_s"),
    [("1", 1.0), ("0", 2.0), ("-", 3.0)],
)
def test_it_is_the_time_since_what_was_taken_up(resumed, lost_s):
    assert measure_loss(tell(*FIRST, (f"{OPEN} {resumed}", 9.0)), 4.0) == lost_s


def test_an_attempt_that_saved_nothing_lost_what_it_did_itself():
    history = tell(*FIRST, (f"{OPEN} 1", 9.0), (f"{OPEN} 1", 20.0))
    assert measure_loss(history, 9.5) == 0.5


def test_without_another_beginning_it_is_not_known():
    assert measure_loss(tell(*FIRST), 4.0) is None
    assert measure_loss([], 4.0) is None


def test_what_had_been_saved_and_was_done_again_is_counted():
    assert count_lost_saves(tell(*FIRST)) == []
    again = [(f"{OPEN} 1", 9.0), (f"{SAVED} 2", 10.0), (f"{OPEN} 1", 20.0), (f"{OPEN} 1", 30.0), (f"{OPEN} -", 40.0)]
    assert count_lost_saves(tell(*FIRST, *again)) == [0, 1, 0, 2]
