"""An estimate is what this function's own runs tell, or it says what is missing."""

from __future__ import annotations

from sm_remote.costs.estimate import Estimate, choose_runs
from sm_remote.costs.price import Rate
from tests.ledger_entries import build_settled

RATE = Rate(machines="ml.m5.xlarge", region="us-east-1", usd_per_hour=3.6, origin="AWS price list of 2026-11-18")
UNPRICED = Rate(machines="ml.x", region="eu-west-1", usd_per_hour=None, missing=("ml.x",))


def estimate(*entries, code="c0de", rate=RATE):
    return Estimate(rate=rate, history=choose_runs(entries, "train", "ml.m5.xlarge", code))


def test_the_median_of_the_runs_with_their_range_and_number():
    found = estimate(*(build_settled(f"train-{seconds}", seconds) for seconds in (300.0, 420.0, 1000.0)))
    assert found.describe() == "about $0.42 ($0.30 to $1.00 in 3 runs of train)"
    assert estimate(build_settled(billable_s=420.0)).describe() == "about $0.42 (in 1 run of train)"


def test_runs_of_the_very_same_code_count_before_all_others():
    edited = build_settled("edited", 9000.0, code="other")
    assert estimate(edited, build_settled(billable_s=420.0)).history.billed_s == (420.0,)
    assert estimate(edited).describe() == "about $9.00 (in 1 run of train, of earlier code)"
    assert not estimate(edited, code="").history.is_same_code


def test_with_spot_capacity_the_time_counts_that_it_took():
    found = estimate(build_settled(billable_s=60.0, training_s=200.0, is_spot=True))
    assert found.history.billed_s == (200.0,)


def test_what_is_unknown_says_so_and_which_part():
    assert estimate().describe() == ("estimate unknown (no run of train on ml.m5.xlarge has completed from here)")
    assert estimate(build_settled(), rate=UNPRICED).describe() == (
        "estimate unknown: the price of ml.x in eu-west-1 is not known here"
    )
    assert estimate(rate=UNPRICED).median_usd is None
    assert estimate().least_usd is None


def test_old_runs_fall_out_of_the_estimate():
    runs = [build_settled(f"train-{number}", 100.0) for number in range(20)]
    assert estimate(*runs, build_settled("oldest", 9000.0)).most_usd == estimate(*runs).most_usd
