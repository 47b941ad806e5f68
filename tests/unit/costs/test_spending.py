"""What one job has cost up to now: by the ledger's price, else by today's, and never by a guess."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sm_remote.costs.ledger import Ledger
from sm_remote.costs.price import Rate
from sm_remote.costs.spending import add_up_job, describe_charge, find_spending
from sm_remote.home import Home
from tests.ledger_entries import NOW, build_entry, describe

TODAY = Rate(machines="ml.m5.xlarge", region="us-east-1", usd_per_hour=7.2, origin="list price, date unknown")
NO_PRICE = Rate(machines="ml.z9", region="us-east-1", usd_per_hour=None, missing=("ml.z9",))


def test_a_job_costs_its_billed_seconds_at_the_price_of_its_own_day():
    spent = add_up_job(describe(), build_entry(), TODAY, is_charged=True, now=NOW)
    assert (spent.usd, spent.is_final) == (pytest.approx(0.2), True)
    assert spent.describe() == "$0.20; $3.60 an hour (us-east-1, on demand; AWS price list of 2026-11-18)"


def test_one_that_was_started_elsewhere_costs_them_at_todays_price():
    spent = add_up_job(describe(), None, TODAY, is_charged=True, now=NOW)
    assert spent.describe() == "$0.40; $7.20 an hour (us-east-1, on demand; list price, date unknown)"


def test_one_that_runs_has_cost_its_time_on_the_machine_so_far():
    spent = add_up_job(describe(status="InProgress"), build_entry(), TODAY, is_charged=True, now=NOW)
    assert (spent.billed_s, spent.usd, spent.is_final) == (240.0, pytest.approx(0.24), False)
    assert spent.describe().startswith("$0.24 so far; ")


def test_a_warm_pool_is_added_and_one_that_waits_has_not_cost_all_of_it():
    ended = describe(WarmPoolStatus={"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 300})
    spent = add_up_job(ended, build_entry(), TODAY, is_charged=True, now=NOW)
    assert (spent.usd, spent.is_final) == (pytest.approx(0.5), True)
    waiting = describe(WarmPoolStatus={"Status": "Available"})
    assert not add_up_job(waiting, build_entry(), TODAY, is_charged=True, now=NOW).is_final


def test_a_price_that_was_unknown_on_its_day_stays_unknown():
    spent = add_up_job(describe(), build_entry(usd_per_hour=None), TODAY, is_charged=True, now=NOW)
    assert spent.describe() == "unknown; the price of ml.m5.xlarge in us-east-1 is not known here"
    assert add_up_job(describe(), None, NO_PRICE, is_charged=True, now=NOW).usd is None


def test_a_training_plan_is_said_to_be_paid():
    plan = Rate(machines="ml.p5 of a training plan", region="us-east-1", usd_per_hour=None, is_prepaid=True)
    spent = add_up_job(describe(), build_entry(usd_per_hour=None), plan, is_charged=True, now=NOW)
    assert spent.describe() == "unknown; a training plan is paid for in advance"


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.42, "no charge (on SageMaker about $0.42 on demand)"),
        (0.001, "no charge (on SageMaker under $0.01)"),
        (None, "no charge (on SageMaker an unknown price)"),
    ],
)
def test_a_local_job_costs_nothing_beside_what_sagemaker_would_charge(usd: float | None, text: str):
    assert describe_charge(usd, is_charged=False) == text


def test_the_ledger_is_asked_for_the_job_of_that_target(home: Home):
    Ledger(home).reserve(build_entry(), NOW.timestamp(), lambda entry, _: entry)
    assert find_spending(describe(), home, target="sagemaker", now=NOW).rate.usd_per_hour == 3.6
    assert find_spending(describe(), home, target="local", now=NOW + timedelta(1)).rate.usd_per_hour != 3.6


def test_a_ledger_that_cannot_be_read_leaves_todays_price(home: Home):
    ledger = Ledger(home).path
    ledger.parent.mkdir(parents=True)
    ledger.write_text("no database")
    assert find_spending(describe(), home, target="sagemaker", now=NOW).is_final
