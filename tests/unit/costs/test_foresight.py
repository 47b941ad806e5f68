"""What a call would cost is told before anything of it is sent, with the reason if it would be refused."""

from __future__ import annotations

import pytest

from sm_remote.costs.demand import Demand
from sm_remote.costs.foresight import foresee
from sm_remote.costs.ledger import Ledger
from sm_remote.costs.limit import Limits
from sm_remote.costs.price_book import rate_job, refresh
from sm_remote.home import Home
from tests.fakes.price_list import FakePricing, build_product
from tests.ledger_entries import NOW, build_settled, describe

HOUR = Demand(machines=(("ml.m5.xlarge", 1),), runtime_s=3480)


@pytest.fixture
def state(tmp_path):
    home = Home(data=tmp_path / "data", cache=tmp_path / "cache")
    refresh(home, "eu-west-1", FakePricing([build_product("ml.m5.xlarge", "3.6")]), now=NOW)
    return home


def look(state, *, limits=None, **more):
    given = {"target": "sagemaker", "region": "eu-west-1", "function": "train", "code": "c0de", "now": NOW, **more}
    return foresee(state, HOUR, limits=limits or Limits(), **given)


def add(state, *entries):
    for entry in entries:
        Ledger(state).reserve(entry, 0.0, lambda entry, held: entry)


def test_a_call_that_may_run_says_its_estimate_and_its_most(state):
    add(state, build_settled(billable_s=420.0))
    found = look(state)
    assert (found.estimate.median_usd, found.most_usd, found.refusal) == (pytest.approx(0.42), pytest.approx(3.6), None)
    assert look(state, limits=Limits(max_cost=1.0)).most_usd == pytest.approx(1.0)
    assert [entry.name for entry in Ledger(state).list_since(0)] == ["train-1"]


def test_a_call_that_would_be_refused_says_why(state):
    add(state, build_settled(billable_s=2000.0))
    assert "train is going to cost more" in str(look(state, limits=Limits(max_cost=1.0)).refusal)
    assert "max_cost_per_day is $5.00" in str(look(state, limits=Limits(max_cost_per_day=5.0)).refusal)
    assert "is not known here" in str(look(state, region="us-west-2", limits=Limits(max_cost=1.0)).refusal)
    assert look(state, target="local", limits=Limits(max_cost=0.001)).refusal is None


@pytest.mark.parametrize("name", ["cell", "lambda", ""])
def test_what_has_no_name_of_its_own_is_known_by_its_code_alone(state, name):
    add(state, build_settled(billable_s=420.0, function=name, code="other"))
    assert look(state, function=name).estimate.describe() == (
        "estimate unknown (no run of this code on ml.m5.xlarge has completed from here)"
    )
    assert look(state, function=name, code="other").estimate.describe() == "about $0.42 (in 1 run of this code)"


def test_a_ledger_that_cannot_be_read_counts_as_empty(state):
    state.costs.mkdir(parents=True)
    (state.costs / "ledger.sqlite").write_bytes(b"not a database" * 100)
    assert look(state, limits=Limits(max_cost_per_day=5.0)).estimate.median_usd is None


def test_a_job_that_exists_has_the_price_of_its_region(state):
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:training-job/train-1"
    resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}
    assert rate_job(describe(TrainingJobArn=arn, ResourceConfig=resources), state).usd_per_hour == 7.2
    shipped = rate_job(describe(ResourceConfig=resources), state)
    assert (shipped.region, shipped.usd_per_hour) == ("us-east-1", 0.46)
    assert rate_job(describe(TrainingJobArn="no arn", ResourceConfig=resources), state).region == "us-east-1"
