"""What nobody watched to its end is settled later, and prices are asked for once a day, beside a call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import NoCredentialsError

from sm_remote.costs.ledger import Ledger
from sm_remote.costs.price_book import read_price_book
from sm_remote.costs.upkeep import MOST_AT_ONCE, Background, settle_open
from sm_remote.errors import JobNotFound, ServiceUnavailable
from sm_remote.home import Home
from tests.fakes.price_list import FakePricing, build_product
from tests.ledger_entries import NOW, build_entry, describe


@pytest.fixture
def state(tmp_path):
    return Home(data=tmp_path / "data", cache=tmp_path / "cache")


class FakeApi:
    """Jobs by name; one that is missing is not found, and an error is raised."""

    def __init__(self, **jobs):
        self.jobs = jobs
        self.asked = []

    def describe(self, name):
        self.asked.append(name)
        found = self.jobs.get(name.replace("-", "_"))
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise JobNotFound(f"There is no training job {name!r}.")
        return found


def add(state, *entries):
    for entry in entries:
        Ledger(state).reserve(entry, 0.0, lambda entry, held: entry)


def list_states(state):
    return {entry.name: str(entry.state) for entry in Ledger(state).list_since(0)}


def test_open_entries_are_settled_by_what_their_jobs_say(state):
    add(state, build_entry("ended"), build_entry("runs"), build_entry("lost"))
    api = FakeApi(ended=describe("ended"), runs=describe("runs", "InProgress"))
    found = settle_open(state, "sagemaker", api, now=NOW)
    assert (found.settled, found.unsettled, found.trouble) == (2, 1, "")
    assert list_states(state) == {"ended": "settled", "runs": "open"}  # and "lost" was never created


def test_a_job_that_may_still_be_on_its_way_stays_open(state):
    add(state, build_entry("young", opened_at=NOW.timestamp() - 60))
    assert settle_open(state, "sagemaker", FakeApi(), now=NOW).unsettled == 1
    assert list_states(state) == {"young": "open"}


def test_a_warm_pool_that_stays_leaves_its_entry_unsettled(state):
    add(state, build_entry("kept"))
    api = FakeApi(kept=describe("kept", WarmPoolStatus={"Status": "Available"}))
    assert settle_open(state, "sagemaker", api, now=NOW).unsettled == 1
    assert list_states(state) == {"kept": "pool"}


def test_an_api_that_does_not_answer_is_asked_once(state):
    add(state, build_entry("one"), build_entry("two"))
    api = FakeApi(one=ServiceUnavailable("AWS is away."), two=describe("two"))
    assert settle_open(state, "sagemaker", api, now=NOW).trouble == "AWS is away."
    assert api.asked == ["one"]


def test_one_look_is_bounded_and_takes_the_oldest_first(state):
    add(state, *(build_entry(f"job-{number}", opened_at=number) for number in range(MOST_AT_ONCE + 5)))
    api = FakeApi()
    settle_open(state, "sagemaker", api, now=NOW)
    assert api.asked == [f"job-{number}" for number in range(MOST_AT_ONCE)]


def test_entries_of_another_region_or_target_are_left_to_others(state):
    add(state, build_entry("here"), build_entry("there", region="eu-west-1"), build_entry("local", target="local"))
    api = FakeApi()
    settle_open(state, "sagemaker", api, now=NOW, region="us-east-1")
    assert api.asked == ["here"]


def test_an_account_that_does_not_know_anothers_jobs_does_not_take_them_for_never_created(state):
    add(state, build_entry("mine", account="1"), build_entry("theirs", account="2"), build_entry("of nobody known"))
    settle_open(state, "sagemaker", FakeApi(), now=NOW, account="1")
    assert list_states(state) == {"theirs": "open"}


def test_entries_that_are_left_to_others_hold_up_no_others(state):
    add(state, *(build_entry(f"there-{number}", region="eu-west-1", opened_at=1.0) for number in range(MOST_AT_ONCE)))
    add(state, *(build_entry(f"theirs-{number}", account="2", opened_at=2.0) for number in range(MOST_AT_ONCE)))
    add(state, build_entry("here", account="1"))
    api = FakeApi(here=describe("here"))
    assert settle_open(state, "sagemaker", api, now=NOW, region="us-east-1", account="1").settled == 1
    assert api.asked == ["here"]


def test_beside_a_call_prices_come_and_old_entries_are_settled_once_a_day(state):
    add(state, build_entry("old"), build_entry("watched", opened_at=NOW.timestamp() - 60))
    api, moment, background = FakeApi(old=describe("old")), [NOW], Background()
    client = FakePricing([build_product("ml.m5.xlarge", "0.2", region="us-east-1")])

    def begin():
        return background.begin(state, "us-east-1", api, lambda: client, now=lambda: moment[0])

    begin().join()
    assert read_price_book(state, "us-east-1").fetched == NOW
    assert api.asked == ["old"]
    assert begin() is None
    moment[0] = NOW + timedelta(hours=25)
    begin().join()
    assert len(client.requests) == 2


def test_trouble_beside_a_call_is_nobodys(state):
    def make_client():
        raise NoCredentialsError

    add(state, build_entry("old"))
    api = FakeApi(old=describe("old"))
    Background().begin(state, "us-east-1", api, make_client, now=lambda: NOW).join()
    assert api.asked == ["old"]
