"""A call's charges: entered before each of its jobs is created, settled after each has ended."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from sm_remote.costs.charges import Charges
from sm_remote.costs.ledger import Ledger
from sm_remote.costs.limit import Limits
from sm_remote.costs.price_book import refresh
from sm_remote.errors import MaxCostExceeded, StorageError
from sm_remote.home import Home
from sm_remote.wire.layout import RUN_VARIABLE
from tests.fakes.price_list import FakePricing, build_product
from tests.ledger_entries import NOW, build_settled, describe

PRODUCTS = [build_product("ml.m5.xlarge", "3.6"), build_product("ml.g5.xlarge", "36.0")]


@pytest.fixture
def state(tmp_path):
    home = Home(data=tmp_path / "data", cache=tmp_path / "cache")
    refresh(home, "eu-west-1", FakePricing(PRODUCTS), now=NOW)
    return home


def build_request(name="train-1", instance_type="ml.m5.xlarge", **more):
    return {
        "TrainingJobName": name,
        "ResourceConfig": {"InstanceType": instance_type, "InstanceCount": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "Tags": [{"Key": "sm_remote:function", "Value": "train"}],
        **more,
    }


def find_runtime_s(request):
    return request["StoppingCondition"]["MaxRuntimeInSeconds"]


def follow(request, name, instance_type="ml.m5.xlarge"):
    """What goes on with a job's work is built of that job's own request."""
    environment = {**request.get("Environment", {}), RUN_VARIABLE: "train-1"}
    resources = {"InstanceType": instance_type, "InstanceCount": 1}
    return {**request, "TrainingJobName": name, "ResourceConfig": resources, "Environment": environment}


def open_charges(state, *, target="sagemaker", **more):
    given = {"region": "eu-west-1", "function": "train", "code": "c0de", "now": lambda: NOW, **more}
    return Charges(home=state, target=target, **given)


def list_entries(state):
    return {entry.name: entry for entry in Ledger(state).list_since(0)}


def test_a_job_is_in_the_ledger_before_it_is_created_and_settled_after_its_end(state):
    charges = open_charges(state)
    assert charges.reserve(build_request()) == build_request()
    entry = list_entries(state)["train-1"]
    assert (entry.state, entry.usd_per_hour, entry.price_origin) == ("open", 3.6, "AWS price list of 2026-11-18")
    assert entry.limit_usd == pytest.approx(86.52)
    charges.settle(describe())
    assert list_entries(state)["train-1"].cost_usd == pytest.approx(0.2)


def test_what_the_api_refused_is_taken_back(state):
    charges = open_charges(state)
    charges.reserve(build_request())
    charges.withdraw("train-1")
    assert list_entries(state) == {}


def test_a_line_says_what_the_call_will_cost(state):
    charges = open_charges(state)
    charges.reserve(build_request())
    assert charges.said == (
        "cost: estimate unknown (no run of train on ml.m5.xlarge has completed from here), at most $86.52; "
        "$3.60 an hour (eu-west-1, on demand; AWS price list of 2026-11-18)",
    )
    charges.settle(describe())
    again = open_charges(state, limits=Limits(max_cost=1.0))
    again.reserve(build_request("train-2"))
    assert again.said[0].startswith("cost: about $0.20 (in 1 run of train), at most $1.00; $3.60 an hour")
    assert again.said[1].startswith("max_cost $1.00: SageMaker stops the job after 880 s")


def test_where_others_may_follow_the_most_is_said_of_each_job(state):
    plan = {"SM_REMOTE_SUCCESSION": "{}"}
    charges = open_charges(state)
    charges.reserve(build_request(Environment=plan))
    assert ", at most $86.52 for each of the call's jobs; $3.60 an hour" in charges.said[0]
    limited = open_charges(state, limits=Limits(max_cost=1.0))
    limited.reserve(build_request("train-2", Environment=plan))
    assert ", at most $1.00; $3.60 an hour" in limited.said[0]


def test_all_jobs_of_a_call_share_its_limit_whatever_machine_they_go_on_with(state):
    charges = open_charges(state, limits=Limits(max_cost=1.0))
    first = charges.reserve(build_request(EnableManagedSpotTraining=True))
    assert find_runtime_s(first) == 880
    charges.settle(describe(status="Stopped", BillableTimeInSeconds=400))
    second = charges.reserve(follow(first, "train-1-2"))
    assert find_runtime_s(second) == 1000 - 120 - 400
    charges.settle(describe("train-1-2", status="Failed", BillableTimeInSeconds=300))
    assert {entry.call for entry in list_entries(state).values()} == {"train-1"}
    with pytest.raises(MaxCostExceeded, match=r"earlier jobs of this call took \$0\.70"):
        charges.reserve(follow(second, "train-1-3", "ml.g5.xlarge"))


def test_another_process_that_goes_on_holds_the_limit_as_well(state):
    first = open_charges(state, limits=Limits(max_cost=10.0)).reserve(build_request(instance_type="ml.g5.xlarge"))
    assert find_runtime_s(first) == 880
    watcher = Charges(home=state, target="sagemaker", region="eu-west-1", now=lambda: NOW)
    watcher.settle(describe(BillableTimeInSeconds=10))
    second = watcher.reserve(follow(first, "train-1-2"))
    assert find_runtime_s(second) == 9900 - 120  # a cheaper machine may run for longer than the one before
    entry = list_entries(state)["train-1-2"]
    assert (entry.call, entry.function, entry.code) == ("train-1", "train", "c0de")


def test_what_an_extra_request_asks_for_is_what_counts(state):
    limits = Limits(max_cost=1.0)
    widened = build_request(StoppingCondition={"MaxRuntimeInSeconds": 500_000})
    assert find_runtime_s(open_charges(state, limits=limits).reserve(widened)) == 880
    groups = [{"InstanceGroupName": "a", "InstanceType": "ml.m5.xlarge", "InstanceCount": 2}]
    grouped = build_request("train-2", ResourceConfig={"InstanceGroups": groups})
    assert find_runtime_s(open_charges(state, limits=limits).reserve(grouped)) == 380


def test_two_calls_cannot_both_have_the_rest_of_the_day(state):
    limits = Limits(max_cost=0.6, max_cost_per_day=1.0)
    open_charges(state, limits=limits).reserve(build_request())
    with pytest.raises(MaxCostExceeded, match=r"may cost \$0\.60"):
        open_charges(state, limits=limits).reserve(build_request("train-2"))
    assert set(list_entries(state)) == {"train-1"}
    tomorrow = NOW + timedelta(days=1)
    open_charges(state).settle(describe())
    open_charges(state, limits=limits, now=lambda: tomorrow).reserve(build_request("train-3"))


def test_history_of_the_same_code_is_counted_on_before_the_call(state):
    spent = build_settled("train-0", 2000.0, region="eu-west-1", ended_at=NOW.timestamp() - 200_000)
    Ledger(state).reserve(spent, 0.0, lambda entry, held: entry)
    with pytest.raises(MaxCostExceeded, match="train is going to cost more"):
        open_charges(state, limits=Limits(max_cost=1.0)).reserve(build_request())
    open_charges(state, code="edited", limits=Limits(max_cost=1.0)).reserve(build_request())


def test_a_limit_asks_aws_for_a_price_that_nobody_knows_yet(state):
    asked = []

    def find_prices():
        asked.append("us-west-2")
        refresh(state, "us-west-2", FakePricing([build_product("ml.m5.xlarge", "3.6", region="us-west-2")]), now=NOW)

    given = {"region": "us-west-2", "find_prices": find_prices}
    open_charges(state, **given).reserve(build_request("unlimited"))
    assert asked == []
    allowed = open_charges(state, limits=Limits(max_cost=1.0), **given).reserve(build_request())
    assert find_runtime_s(allowed) == 880
    with pytest.raises(MaxCostExceeded, match=r"the price of ml\.p4d\.24xlarge in us-west-2 is not known here"):
        open_charges(state, limits=Limits(max_cost=1.0), **given).reserve(build_request("other", "ml.p4d.24xlarge"))
    assert asked == ["us-west-2"]  # once a day


def test_on_this_machine_nothing_is_limited_and_that_is_said(state):
    charges = open_charges(state, target="local", limits=Limits(max_cost=0.01))
    assert charges.reserve(build_request()) == build_request()
    assert charges.said == ("no charge on this machine: max_cost $0.01 limits jobs on SageMaker alone",)
    charges.settle(describe())
    entry = list_entries(state)["train-1"]
    assert (entry.is_charged, entry.cost_usd) == (False, pytest.approx(0.2))
    quiet = open_charges(state, target="local", has_price=False)
    quiet.reserve(build_request("whole"))
    assert quiet.said == ()
    assert list_entries(state)["whole"].usd_per_hour is None


def test_a_ledger_that_cannot_be_used_costs_a_job_only_where_a_limit_needs_it(state, caplog):
    state.costs.mkdir(parents=True)
    (state.costs / "ledger.sqlite").write_bytes(b"not a database" * 100)
    charges = open_charges(state)
    with caplog.at_level(logging.WARNING, logger="sm_remote"):
        assert charges.reserve(build_request()) == build_request()
        charges.settle(describe())
    assert len(caplog.records) == 2
    with pytest.raises(StorageError):
        open_charges(state, limits=Limits(max_cost=1.0)).reserve(build_request())


def test_a_job_of_somebody_else_is_not_entered_when_it_ends(state):
    open_charges(state).settle(describe("not-ours"))
    assert list_entries(state) == {}


def test_a_settled_entry_stays_when_its_end_is_looked_at_again(state):
    charges = open_charges(state)
    charges.reserve(build_request())
    charges.settle(describe())
    before = list_entries(state)
    charges.settle(describe(BillableTimeInSeconds=9))
    assert list_entries(state) == before
    assert replace(before["train-1"], billable_s=9.0) != before["train-1"]
