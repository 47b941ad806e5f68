"""Limits: the time that a job is given never costs more than what was allowed, whatever the numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.costs.demand import Demand
from sm_remote.costs.entry import EntryState
from sm_remote.costs.estimate import Estimate, choose_runs
from sm_remote.costs.limit import (
    Limits,
    Mark,
    check_day,
    check_estimate,
    describe_limit,
    find_most_usd,
    find_runtime,
    limit_request,
    read_mark,
)
from sm_remote.costs.price import Rate
from sm_remote.errors import MaxCostExceeded
from sm_remote.wire.layout import COST_LIMIT_VARIABLE
from tests.ledger_entries import build_entry, build_settled

RATE = Rate(machines="ml.m5.xlarge", region="us-east-1", usd_per_hour=3.6, origin="AWS price list of 2026-11-18")
UNPRICED = Rate(machines="ml.x", region="eu-west-1", usd_per_hour=None, missing=("ml.x",))
DAY = Demand(machines=(("ml.m5.xlarge", 1),))


def test_without_a_limit_a_job_stays_as_it_is():
    assert find_runtime(DAY, UNPRICED, Limits(), []) == DAY.runtime_s
    check_day(DAY, UNPRICED, Limits(), [])


def test_sagemaker_is_to_stop_the_job_when_the_money_is_used_up():
    runtime_s = find_runtime(DAY, RATE, Limits(max_cost=1.0), [])
    assert runtime_s == 1000 - 120  # a tenth of a cent a second, and the time to stop
    assert find_most_usd(replace(DAY, runtime_s=runtime_s), RATE) == pytest.approx(1.0)
    assert describe_limit(DAY.runtime_s, runtime_s, Limits(max_cost=1.0)) == (
        "max_cost $1.00: SageMaker stops the job after 880 s (MaxRuntimeInSeconds; max_runtime_in_seconds is 86,400 s)"
        "; earlier jobs of the call are those of this machine's ledger"
    )


def test_a_request_says_when_to_stop_and_why():
    request = {
        "StoppingCondition": {"MaxRuntimeInSeconds": 900, "MaxWaitTimeInSeconds": 2000},
        "Environment": {"A": "1"},
    }
    mark = Mark(limits=Limits(max_cost=1.5, max_cost_per_day=20.0), runtime_s=900)
    limited = limit_request(request, 880, mark)
    assert limited["StoppingCondition"] == {"MaxRuntimeInSeconds": 880, "MaxWaitTimeInSeconds": 2000}
    assert limited["Environment"]["A"] == "1"
    assert read_mark(limited["Environment"]) == mark
    assert request["Environment"] == {"A": "1"}
    assert limit_request({}, 880, mark)["StoppingCondition"] == {"MaxRuntimeInSeconds": 880}


@pytest.mark.parametrize("text", ["", "9", "[1]", '["a",null,1]', "{}", "[1,2,null]"])
def test_a_mark_that_is_not_understood_is_none(text):
    assert read_mark({COST_LIMIT_VARIABLE: text}) is None
    assert read_mark({}) is None
    assert read_mark(None) is None


def test_a_limit_that_is_wide_enough_changes_nothing():
    assert find_runtime(replace(DAY, runtime_s=600), RATE, Limits(max_cost=1.0), []) == 600
    assert describe_limit(600, 600, Limits(max_cost=1.0)) == ""


def test_the_warm_pool_is_paid_for_as_well():
    assert find_runtime(replace(DAY, keep_alive_s=500), RATE, Limits(max_cost=1.0), []) == 1000 - 120 - 500


def test_earlier_jobs_of_the_call_have_used_up_their_part():
    call = [build_settled("first", 300.0), build_entry("second", limit_usd=0.2)]
    assert find_runtime(DAY, RATE, Limits(max_cost=1.0), call) == 1000 - 120 - 500
    with pytest.raises(MaxCostExceeded, match=r"earlier jobs of this call took \$0\.95"):
        find_runtime(DAY, RATE, Limits(max_cost=1.0), [build_settled("first", 950.0)])


def test_too_little_money_is_refused_with_the_numbers():
    with pytest.raises(MaxCostExceeded) as caught:
        find_runtime(DAY, RATE, Limits(max_cost=0.1), [])
    assert str(caught.value) == (
        "max_cost is $0.10: too little for ml.m5.xlarge; no job was created.\n"
        "It costs $3.60 an hour (us-east-1, on demand; AWS price list of 2026-11-18). 60 s of work, the 120 s that a "
        "job has to stop cost $0.18. Counted is what this machine's ledger holds (`sm-remote costs`).\n"
        "Raise max_cost, or choose a cheaper instance_type."
    )


@pytest.mark.parametrize("limits", [Limits(max_cost=5.0), Limits(max_cost_per_day=5.0)])
def test_a_limit_without_a_price_is_refused_with_the_way_to_one(limits):
    with pytest.raises(MaxCostExceeded, match=r"the price of ml\.x in eu-west-1 is not known here") as caught:
        find_runtime(DAY, UNPRICED, limits, [])
    assert "sm-remote costs refresh-prices --region eu-west-1" in caught.value.fix
    assert caught.value.facts["instance_types"] == ("ml.x",)


def test_a_training_plan_has_no_price_that_could_be_limited():
    rate = replace(UNPRICED, missing=(), is_prepaid=True)
    with pytest.raises(MaxCostExceeded, match="a training plan is paid for in advance") as caught:
        find_runtime(DAY, rate, Limits(max_cost=5.0), [])
    assert "refresh-prices" not in caught.value.fix


@given(
    max_cost=st.floats(0.01, 1e5),
    usd_per_hour=st.floats(0.01, 500),
    keep_alive_s=st.integers(0, 21600),
    runtime_s=st.integers(1, 2_419_200),
    spent_s=st.floats(0, 1e6),
)
def test_no_job_can_cost_more_than_its_call_has_left(max_cost, usd_per_hour, keep_alive_s, runtime_s, spent_s):
    rate = replace(RATE, usd_per_hour=usd_per_hour)
    demand = replace(DAY, keep_alive_s=keep_alive_s, runtime_s=runtime_s)
    earlier = build_settled("first", spent_s, usd_per_hour=usd_per_hour)
    left_usd = max_cost - earlier.cost_usd
    try:
        allowed_s = find_runtime(demand, rate, Limits(max_cost=max_cost), [earlier])
    except MaxCostExceeded:
        least = replace(demand, runtime_s=min(60, runtime_s) + 1)
        assert find_most_usd(least, rate) > left_usd - 1e-6
        return
    assert 1 <= allowed_s <= runtime_s
    assert find_most_usd(replace(demand, runtime_s=allowed_s), rate) <= left_usd + 1e-6


def estimate(*seconds, code="c0de"):
    entries = [build_settled(f"train-{number}", billed) for number, billed in enumerate(seconds)]
    return Estimate(rate=RATE, history=choose_runs(entries, "train", "ml.m5.xlarge", code))


def test_a_call_of_which_every_run_has_cost_more_is_refused():
    with pytest.raises(MaxCostExceeded) as caught:
        check_estimate(estimate(1200.0, 1800.0), Limits(max_cost=1.0))
    assert str(caught.value) == (
        "max_cost is $1.00, and train is going to cost more; no job was created.\n"
        "It has cost $1.50 ($1.20 to $1.80 in 2 runs of train), always more than that. Counted is what this machine's "
        "ledger holds (`sm-remote costs`).\n"
        "Raise max_cost to $1.80 or more, or choose another instance_type."
    )


def test_one_run_that_stayed_below_or_code_that_was_edited_is_given_its_chance():
    check_estimate(estimate(900.0, 1800.0), Limits(max_cost=1.0))
    check_estimate(estimate(1200.0, code="edited"), Limits(max_cost=1.0))
    check_estimate(estimate(), Limits(max_cost=1.0))
    check_estimate(estimate(1200.0), Limits(max_cost_per_day=1.0))


def test_the_day_counts_what_ended_what_may_still_come_and_this_job():
    demand = replace(DAY, runtime_s=1880)  # at most $2.00
    ended = build_settled("ended", 3000.0)
    pool = build_settled("pool", 100.0, state=EntryState.POOL, limit_usd=0.5)
    day = [ended, build_entry("live", limit_usd=4.5), pool]
    check_day(demand, RATE, Limits(max_cost_per_day=10.0), day)
    with pytest.raises(MaxCostExceeded) as caught:
        check_day(demand, RATE, Limits(max_cost_per_day=9.0), day)
    assert str(caught.value) == (
        "max_cost_per_day is $9.00, and this job may cost $2.00; no job was created.\n"
        "Today (UTC) 1 ended job cost $3.00, and 2 live jobs may cost $5.00: $1.00 are left. Counted is what this "
        "machine's ledger holds (`sm-remote costs`).\n"
        "Give a max_cost of $1.00 or less, a shorter max_runtime_in_seconds (it is 1880 s), wait for jobs to end, or "
        "raise max_cost_per_day."
    )


def test_a_day_that_is_used_up_says_what_it_cannot_count():
    day = [build_settled("ended", 9000.0), build_settled("unpriced", usd_per_hour=None)]
    with pytest.raises(MaxCostExceeded, match=r"1 more have no known price and count nothing") as caught:
        check_day(DAY, RATE, Limits(max_cost_per_day=9.0), day)
    assert "max_cost of" not in caught.value.fix
