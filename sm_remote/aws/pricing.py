"""What AWS says an hour of training costs: its Price List API, asked for one region at a time.

Nothing here decides when to ask, or keeps an answer: `costs.price_book` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.aws.refusals import explain_passing
from sm_remote.errors import ConfigError, ServiceUnavailable

SERVICE_CODE = "AmazonSageMaker"
_COMPONENT = "Training"
_SUFFIX = "-Training"
_HOURS = frozenset({"hrs", "hours", "hour"})
_PAGE_SIZE = 100
_MOST_PAGES = 50
"""A region has a few hundred prices; an answer without end must not hold up anybody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceList:
    """Prices of one region.

    Attributes:
        region: As AWS spells it.
        published: The newest date in the answer, ``2026-11-20``; empty where it has none.
        usd_per_hour: On demand, by instance type; for one instance.
    """

    region: str
    published: str
    usd_per_hour: Mapping[str, float]


def choose_endpoint_region(region: str) -> str:
    """The region whose Price List endpoint is the nearest that knows the prices of a region.

    Source: AWS General Reference, "AWS Price List API endpoints": us-east-1, eu-central-1 and ap-south-1, and
    cn-northwest-1 for the regions of China, whose credentials are their own.
    """
    if region.startswith("cn-"):
        return "cn-northwest-1"
    if region.startswith("eu-"):
        return "eu-central-1"
    return "ap-south-1" if region.startswith(("ap-", "me-", "af-", "il-")) else "us-east-1"


def fetch_prices(client: Any, region: str) -> PriceList:
    """Asks for the prices of training in a region.

    Args:
        client: boto3's for ``pricing``.
        region: As AWS spells it.

    Raises:
        ConfigError: The credentials do not allow ``pricing:GetProducts``, or there are none.
        ServiceUnavailable: The API does not answer.
        CredentialsExpired: They were good once.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        return parse_prices(_fetch_products(client, region), region)
    except (ClientError, NoCredentialsError) as error:
        raise explain_passing(error, f"The Price List API for {region}") or ConfigError(
            f"AWS does not tell the prices of {region}.",
            why=str(error),
            fix="Have AWS credentials (`aws configure`, `aws sso login`) of an identity that pricing:GetProducts is "
            "allowed to; without them the prices that sm_remote ships are used.",
        ) from error
    except BotoCoreError as error:
        raise explain_passing(error, f"The Price List API for {region}") or ServiceUnavailable(
            f"The Price List API could not be reached for the prices of {region}.",
            why=str(error),
            fix="Check the network; until then the prices that are here are used.",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceUnavailable(
            f"What the Price List API says of {region} cannot be read.", why=f"{type(error).__name__}: {error}"
        ) from error


def _fetch_products(client: Any, region: str) -> Iterator[Mapping[str, Any]]:
    filters = [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region},
        {"Type": "TERM_MATCH", "Field": "component", "Value": _COMPONENT},
    ]
    page: dict[str, Any] = {}
    for _ in range(_MOST_PAGES):
        answer = client.get_products(ServiceCode=SERVICE_CODE, Filters=filters, MaxResults=_PAGE_SIZE, **page)
        for text in answer["PriceList"]:
            product = json.loads(text)
            if isinstance(product, dict):
                yield product
        if not answer.get("NextToken"):
            return
        page = {"NextToken": answer["NextToken"]}


def parse_prices(products: Iterable[Mapping[str, Any]], region: str) -> PriceList:
    """Reads products of the Price List. Of two prices for one instance type the higher one counts. Pure.

    A warm pool is billed as training is. Source: SageMaker Developer Guide, "Train Using SageMaker Managed Warm Pools",
    Billing.

    Args:
        products: Each with ``product`` and ``terms``. What is not an hour of training in this region is left out.
        region: As AWS spells it.
    """
    prices: dict[str, float] = {}
    published = ""
    for product in products:
        name = _find_instance_type(product, region)
        hourly = max(_list_hourly_prices(product), default=0.0)
        if name is not None and hourly > 0:
            prices[name] = max(hourly, prices.get(name, 0.0))
            published = max(published, str(product.get("publicationDate", ""))[:10])
    return PriceList(region=region, published=published, usd_per_hour=prices)


def _find_instance_type(product: Mapping[str, Any], region: str) -> str | None:
    """The instance type whose training a product is; older products say ``ml.m5.large-Training``."""
    attributes = (product.get("product") or {}).get("attributes") or {}
    if str(attributes.get("component", "")).lower() != _COMPONENT.lower() or attributes.get("regionCode") != region:
        return None
    name = str(attributes.get("instanceName") or attributes.get("instanceType") or "").removesuffix(_SUFFIX)
    return name if name.startswith("ml.") else None


def _list_hourly_prices(product: Mapping[str, Any]) -> Iterator[float]:
    for term in ((product.get("terms") or {}).get("OnDemand") or {}).values():
        for dimension in (term.get("priceDimensions") or {}).values():
            amount = (dimension.get("pricePerUnit") or {}).get("USD")
            if str(dimension.get("unit", "")).lower() in _HOURS and amount is not None:
                yield float(amount)
