"""What an ended job has cost, as SageMaker's own seconds tell."""

from __future__ import annotations

import pytest

from sm_remote.costs.entry import EntryState, settle, void
from tests.ledger_entries import build_entry, build_settled, describe


def test_a_job_that_runs_changes_nothing():
    entry = build_entry()
    assert settle(entry, describe(status="InProgress")) is entry
    assert (entry.cost_usd, entry.held_usd) == (None, 2.0)


def test_an_ended_job_costs_its_billable_seconds():
    settled = settle(build_entry(), describe())
    assert (settled.state, settled.status, settled.training_s, settled.billable_s) == ("settled", "Completed", 200, 200)
    assert settled.cost_usd == settled.held_usd == pytest.approx(0.2)
    assert settled.saved_usd is None


def test_spot_capacity_saves_what_was_trained_and_not_billed():
    settled = settle(build_entry(is_spot=True), describe(BillableTimeInSeconds=60))
    assert settled.cost_usd == pytest.approx(0.06)
    assert settled.saved_usd == pytest.approx(0.14)


def test_a_job_that_never_got_a_machine_costs_nothing():
    members = dict.fromkeys(["TrainingStartTime", "TrainingTimeInSeconds", "BillableTimeInSeconds"])
    settled = settle(build_entry(), describe(status="Failed", **members))
    assert (settled.billable_s, settled.cost_usd) == (0.0, 0.0)


def test_where_sagemaker_says_no_seconds_the_time_on_the_machine_counts():
    members = dict.fromkeys(["TrainingTimeInSeconds", "BillableTimeInSeconds"])
    assert settle(build_entry(), describe(status="Stopped", **members)).billable_s == 200


def test_a_warm_pool_is_settled_when_it_has_ended_and_held_at_its_most_until_then():
    waiting = settle(build_entry(), describe(WarmPoolStatus={"Status": "Available"}))
    assert (waiting.state, waiting.pool_s) == ("pool", None)
    assert waiting.cost_usd == pytest.approx(0.2)
    assert waiting.held_usd == 2.0
    ended = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 300}
    settled = settle(waiting, describe(WarmPoolStatus=ended))
    assert (settled.state, settled.pool_s) == ("settled", 300)
    assert settled.cost_usd == settled.held_usd == pytest.approx(0.5)


def test_an_unknown_price_stays_unknown():
    settled = build_settled(usd_per_hour=None, is_spot=True)
    assert (settled.cost_usd, settled.saved_usd, settled.held_usd) == (None, None, None)


def test_a_job_that_was_never_created_costs_nothing_whatever_its_price():
    voided = void(build_entry(usd_per_hour=None), 1.0)
    assert (voided.state, voided.cost_usd, voided.held_usd) == (EntryState.VOID, 0.0, 0.0)
