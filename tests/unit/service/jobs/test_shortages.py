"""Capacity that is scripted away."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.service.jobs.shortages import ANY, Effect, Market, Shortage, Shortages
from tests.fakes.service import build_request

SPOT = build_request(EnableManagedSpotTraining=True)
ON_DEMAND = build_request()
GROUPS: dict[str, Any] = build_request()
GROUPS["ResourceConfig"] = {
    "InstanceGroups": [
        {"InstanceGroupName": "a", "InstanceType": "ml.c5.large", "InstanceCount": 1},
        {"InstanceGroupName": "b", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    ]
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shortages.json"


def short(instance_type: str = "ml.m5.large", market: Market = Market.ANY, effect: Effect = Effect.ERROR) -> Shortage:
    return Shortage(instance_type=instance_type, market=market, effect=effect)


@pytest.mark.parametrize(
    ("shortage", "spot", "on_demand"),
    [
        (short(), True, True),
        (short(ANY), True, True),
        (short(market=Market.SPOT), True, False),
        (short(market=Market.ON_DEMAND), False, True),
        (short("ml.c5.large"), False, False),
    ],
)
def test_a_shortage_concerns_jobs_of_its_type_and_market(path, shortage, spot, on_demand):
    shortages = Shortages(path)
    shortages.set(shortage)
    assert (shortages.find_effect(SPOT) is not None) == spot
    assert (shortages.find_effect(ON_DEMAND) is not None) == on_demand


def test_one_group_that_is_short_holds_up_the_whole_job(path):
    shortages = Shortages(path)
    shortages.set(short("ml.c5.large", effect=Effect.PENDING))
    assert shortages.find_effect(GROUPS) is Effect.PENDING


def test_failing_comes_before_waiting(path):
    shortages = Shortages(path)
    shortages.set(short(ANY, effect=Effect.PENDING))
    shortages.set(short())
    assert shortages.find_effect(ON_DEMAND) is Effect.ERROR


def test_shortages_outlive_the_service_and_the_latest_of_a_type_counts(path):
    shortages = Shortages(path)
    shortages.set(short())
    shortages.set(short(effect=Effect.PENDING))
    assert Shortages(path).list_all() == (short(effect=Effect.PENDING),)


def test_all_shortages_end_at_once(path):
    shortages = Shortages(path)
    shortages.set(short())
    shortages.set(short("ml.c5.large", market=Market.SPOT))
    shortages.clear("ml.c5.large", Market.ON_DEMAND)
    assert len(shortages.list_all()) == 2
    shortages.clear(ANY, Market.ANY)
    assert Shortages(path).list_all() == ()
