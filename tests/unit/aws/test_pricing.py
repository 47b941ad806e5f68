"""Prices are read from AWS's Price List, for one region and for training alone."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError
from botocore.stub import Stubber

from sm_remote.aws.pricing import choose_endpoint_region, fetch_prices, parse_prices
from sm_remote.aws.session import connect_aws
from sm_remote.errors import ConfigError, CredentialsExpired, ServiceUnavailable, Throttled
from tests.fakes.price_list import FakePricing, build_product

FILTERS = [
    {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"},
    {"Type": "TERM_MATCH", "Field": "component", "Value": "Training"},
]


def test_all_pages_of_a_region_are_asked_for_as_botocore_has_it() -> None:
    client = boto3.client("pricing", region_name="eu-central-1", aws_access_key_id="k", aws_secret_access_key="s")
    first = [json.dumps(build_product("ml.m5.large", "0.1280000000"))]
    second = [json.dumps(build_product("ml.g5.xlarge", "1.5700000000", suffix=True, published="2026-11-20T00:00:00Z"))]
    asked = {"ServiceCode": "AmazonSageMaker", "Filters": FILTERS, "MaxResults": 100}
    with Stubber(client) as stubber:
        stubber.add_response("get_products", {"PriceList": first, "NextToken": "2"}, asked)
        stubber.add_response("get_products", {"PriceList": second}, {**asked, "NextToken": "2"})
        found = fetch_prices(client, "eu-west-1")
        stubber.assert_no_pending_responses()
    assert found.usd_per_hour == {"ml.m5.large": 0.128, "ml.g5.xlarge": 1.57}
    assert found.published == "2026-11-20"


@pytest.mark.parametrize(
    "product",
    [
        build_product("ml.m5.large", "0.1", component="Hosting"),
        build_product("ml.m5.large", "0.1", region="us-east-1"),
        build_product("ml.m5.large", "0.1", unit="GB-Mo"),
        build_product("ml.m5.large", "0.7", currency="CNY"),
        build_product("ml.m5.large", "0.0000000000"),
        build_product("m5.large", "0.1"),
        {},
        {"product": None, "terms": None},
    ],
)
def test_what_is_no_hour_of_training_there_is_left_out(product: dict[str, object]) -> None:
    assert parse_prices([product], "eu-west-1").usd_per_hour == {}


def test_of_two_prices_for_one_type_the_higher_one_counts() -> None:
    found = parse_prices([build_product("ml.m5.large", "0.2"), build_product("ml.m5.large", "0.1")], "eu-west-1")
    assert found.usd_per_hour == {"ml.m5.large": 0.2}


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}, "GetProducts"),
            ConfigError,
        ),
        (NoCredentialsError(), ConfigError),
        (ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "GetProducts"), Throttled),
        (ConnectTimeoutError(endpoint_url="..."), ServiceUnavailable),
        (ValueError("no JSON"), ServiceUnavailable),
    ],
)
def test_trouble_with_the_api_is_told(trouble: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="eu-west-1"):
        fetch_prices(FakePricing(trouble=trouble), "eu-west-1")


def test_expired_credentials_lack_no_permission() -> None:
    expired = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "GetProducts")
    with pytest.raises(CredentialsExpired):
        fetch_prices(FakePricing(trouble=expired), "eu-west-1")


def test_an_answer_without_end_ends() -> None:
    class Endless(FakePricing):
        def get_products(self, **members: object) -> dict[str, object]:
            self.requests.append(members)
            return {"PriceList": [], "NextToken": "more"}

    client = Endless()
    assert fetch_prices(client, "eu-west-1").usd_per_hour == {}
    assert len(client.requests) == 50


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("eu-west-1", "eu-central-1"),
        ("ap-northeast-1", "ap-south-1"),
        ("us-west-2", "us-east-1"),
        ("sa-east-1", "us-east-1"),
        ("cn-north-1", "cn-northwest-1"),
    ],
)
def test_each_region_has_a_near_endpoint_that_there_is(region: str, endpoint: str) -> None:
    assert choose_endpoint_region(region) == endpoint
    partition = "aws-cn" if region.startswith("cn-") else "aws"
    assert endpoint in boto3.session.Session().get_available_regions("pricing", partition)


def test_the_client_of_a_session_goes_there_and_does_not_wait_long(isolated_state: None) -> None:
    client = connect_aws("eu-west-1").client("pricing")
    assert client.meta.region_name == "eu-central-1"
    assert client.meta.config.connect_timeout + client.meta.config.read_timeout <= 10
