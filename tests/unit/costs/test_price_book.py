"""Prices: AWS's word before the catalogue's, each region by itself, each with its origin."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from sm_remote.costs.demand import Demand
from sm_remote.costs.price import add_prices, render_hourly, render_usd
from sm_remote.costs.price_book import CATALOGUE_ORIGIN, read_price_book, refresh
from sm_remote.errors import ConfigError, CredentialsExpired
from sm_remote.home import Home
from tests.fakes.price_list import FakePricing, build_product

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=timezone.utc)


@pytest.fixture
def state(tmp_path):
    return Home(data=tmp_path / "data", cache=tmp_path / "cache")


def test_without_any_answer_of_aws_the_catalogue_speaks_for_its_region_alone(state):
    shipped = read_price_book(state, "us-east-1").find("ml.m5.xlarge")
    assert (shipped.usd_per_hour, shipped.origin) == (0.23, CATALOGUE_ORIGIN)
    assert read_price_book(state, "eu-west-1").find("ml.m5.xlarge") is None
    assert read_price_book(state, "us-east-1").find("ml.none.such") is None
    assert not state.prices.exists()


def test_what_aws_said_is_kept_privately_with_its_date_and_comes_first(state):
    client = FakePricing([build_product("ml.m5.xlarge", "0.2560000000"), build_product("ml.g5.xlarge", "1.57")])
    refresh(state, "eu-west-1", client, now=NOW)
    found = read_price_book(state, "eu-west-1").find("ml.m5.xlarge")
    assert (found.usd_per_hour, found.region, found.origin) == (0.256, "eu-west-1", "AWS price list of 2026-11-18")
    (file,) = state.prices.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.prices.stat().st_mode) == 0o700
    assert read_price_book(state, "us-east-1").find("ml.m5.xlarge").origin == CATALOGUE_ORIGIN


def test_a_refusal_leaves_the_old_prices_and_is_not_repeated_that_day(state):
    refresh(state, "eu-west-1", FakePricing([build_product("ml.m5.xlarge", "0.256")]), now=NOW)
    later = NOW + timedelta(days=2)
    assert read_price_book(state, "eu-west-1").is_due(later)
    with pytest.raises(ConfigError):
        refresh(state, "eu-west-1", FakePricing(trouble=NoCredentialsError()), now=later)
    book = read_price_book(state, "eu-west-1")
    assert book.find("ml.m5.xlarge").usd_per_hour == 0.256
    assert "eu-west-1" in book.trouble
    assert not book.is_due(later + timedelta(hours=23))
    assert book.is_due(later + timedelta(hours=25))
    assert book.is_due(later - timedelta(days=9))  # a clock that was set back must not end the refreshing


def test_expired_credentials_are_no_answer_so_it_is_asked_again_after_the_next_sign_in(state):
    expired = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "GetProducts")
    with pytest.raises(CredentialsExpired):
        refresh(state, "eu-west-1", FakePricing(trouble=expired), now=NOW)
    assert read_price_book(state, "eu-west-1").is_due(NOW)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 9}', '{"format": 1, "region": "us-east-1"}'])
def test_a_file_that_cannot_be_read_counts_as_none(state, text):
    state.prices.mkdir(parents=True)
    (state.prices / "us-east-1.json").write_text(text)
    book = read_price_book(state, "us-east-1")
    assert book.find("ml.m5.xlarge").origin == CATALOGUE_ORIGIN
    assert book.is_due(NOW)


def test_a_region_cannot_name_another_file(state):
    assert read_price_book(state, "../../etc/passwd").usd_per_hour == {}


def test_the_rate_of_a_job_counts_its_machines_and_says_whose_word_it_is(state):
    rate = read_price_book(state, "us-east-1").rate(Demand(machines=(("ml.m5.xlarge", 3),)))
    assert rate.machines == "3 x ml.m5.xlarge"
    assert rate.usd_per_hour == pytest.approx(0.69)
    assert rate.cost_usd(1800) == pytest.approx(0.345)
    assert rate.describe() == f"$0.69 an hour (us-east-1, on demand; {CATALOGUE_ORIGIN})"


def test_of_machines_of_several_types_each_has_to_have_a_price(state):
    book = read_price_book(state, "us-east-1")
    demand = Demand(machines=(("ml.m5.xlarge", 1), ("ml.unheard.of", 2)))
    rate = book.rate(demand)
    assert rate.usd_per_hour is None
    assert rate.cost_usd(10) is None
    assert rate.describe() == "the price of ml.unheard.of in us-east-1 is not known here"
    priced = add_prices(demand, [book.find("ml.m5.xlarge"), book.find("ml.m5.xlarge")], "us-east-1")
    assert priced.machines == "ml.m5.xlarge + 2 x ml.unheard.of"
    assert priced.usd_per_hour == pytest.approx(0.69)


def test_amounts_are_shown_as_people_read_them():
    assert [render_usd(amount) for amount in (1.837, 0.004, 0, None, 1234.5)] == [
        "$1.84",
        "under $0.01",
        "$0.00",
        "unknown",
        "$1,234.50",
    ]
    assert [render_hourly(price) for price in (0.7364, 113.068, 3.6, None)] == [
        "$0.7364",
        "$113.068",
        "$3.60",
        "unknown",
    ]
