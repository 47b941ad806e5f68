"""The table of states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.records import states
from sm_remote.service.records.states import InvalidTransitionError, State
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status

EVERY_STATE = [(status, secondary) for status in Status for secondary in Secondary]


def walk(*steps: tuple[Status, Secondary]) -> State:
    state = states.begin(100.0)
    for moment, (status, secondary) in enumerate(steps, 101):
        state = states.advance(state, status, secondary, "message", float(moment))
    return state


def test_the_transitions_of_a_job_that_completes_follow_each_other_without_a_gap():
    running = Status.IN_PROGRESS
    state = walk(
        (running, Secondary.PENDING),
        (running, Secondary.DOWNLOADING),
        (running, Secondary.TRAINING),
        (running, Secondary.UPLOADING),
        (Status.COMPLETED, Secondary.COMPLETED),
    )
    assert [entry.status.value for entry in state.transitions] == [
        "Starting",
        "Pending",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert all(one.end == other.start for one, other in zip(state.transitions, state.transitions[1:], strict=False))
    assert state.transitions[-1].end is not None


def test_only_the_last_transition_of_a_live_job_has_no_end():
    state = walk((Status.IN_PROGRESS, Secondary.TRAINING))
    assert [entry.end is None for entry in state.transitions] == [False, True]


def test_a_clock_that_is_set_back_never_makes_a_transition_run_backwards():
    state = states.advance(states.begin(100.0), Status.IN_PROGRESS, Secondary.TRAINING, "message", 40.0)
    assert [(entry.start, entry.end) for entry in state.transitions] == [(100.0, 100.0), (100.0, None)]


@pytest.mark.parametrize(
    ("status", "secondary"),
    [
        (Status.COMPLETED, Secondary.COMPLETED),
        (Status.IN_PROGRESS, Secondary.UPLOADING),
        (Status.STOPPED, Secondary.STOPPED),
        (Status.IN_PROGRESS, Secondary.INTERRUPTED),
    ],
)
def test_a_state_that_the_table_does_not_have_is_refused(status, secondary):
    with pytest.raises(InvalidTransitionError):
        walk((status, secondary))


@given(st.lists(st.sampled_from(EVERY_STATE), max_size=30))
def test_whatever_is_tried_a_job_ends_once_and_then_only_its_deletion_can_follow(tries):
    state, ended = states.begin(0.0), None
    for status, secondary in tries:
        try:
            state = states.advance(state, status, secondary, "message", 1.0)
        except InvalidTransitionError:
            continue
        if ended is not None:
            assert state.status is Status.DELETING
        if state.status.is_terminal:
            ended = state.status
    assert sum(entry.status.value in ("Completed", "Failed", "Stopped") for entry in state.transitions) <= 1
