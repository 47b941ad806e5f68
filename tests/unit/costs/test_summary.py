"""Entries are added up by what they have in common; a call of several jobs stays one call."""

from __future__ import annotations

import pytest

from sm_remote.costs.entry import EntryState
from sm_remote.costs.summary import add_up, group
from tests.ledger_entries import NOW, build_entry, build_settled

AT = NOW.timestamp()
ENTRIES = [
    build_settled("train-1", 100.0, instances=2, training_s=400.0, is_spot=True, ended_at=AT - 86400),
    build_settled("train-1-2", 300.0, call="train-1", machines="ml.g5.xlarge", pool_s=50.0),
    build_settled("evaluate-1", 10.0, function="evaluate", usd_per_hour=None),
    build_entry("train-2", limit_usd=4.0),
    build_settled("train-3", 20.0, state=EntryState.POOL, limit_usd=1.0),
]


def test_attempts_and_fallbacks_are_one_call():
    train, evaluate = group(ENTRIES, "function")
    assert (train.key, train.calls, train.jobs) == ("train", 3, 4)
    assert train.billed_s == 100 * 2 + 300 + 20
    assert train.trained_s == 400 * 2 + 300 + 20
    assert train.pool_s == 50
    assert train.cost_usd == pytest.approx(0.1 + 0.35 + 0.02)
    assert train.saved_usd == pytest.approx(0.3)
    assert (train.live, train.reserved_usd) == (2, 5.0)
    assert (evaluate.unpriced, evaluate.cost_usd) == (1, 0.0)
    (first, *_) = group(ENTRIES, "call")
    assert (first.key, first.jobs, first.calls) == ("train-1", 2, 1)


def test_days_stand_in_their_order_and_all_else_dearest_first():
    assert [line.key for line in group(ENTRIES, "day")] == ["2026-11-20", "2026-11-21"]
    assert [line.key for line in group(ENTRIES, "instance-type")] == ["ml.g5.xlarge", "ml.m5.xlarge"]
    assert [line.key for line in group(ENTRIES, "function")] == ["train", "evaluate"]


def test_a_job_of_no_function_has_a_line_as_well():
    assert [line.key for line in group([build_settled(function="")], "function")] == ["(no function)"]
    assert add_up([], "total").cost_usd == 0.0
