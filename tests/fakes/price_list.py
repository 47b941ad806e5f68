"""The Price List API: products as AWS words them, and a client that gives them out page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def build_product(
    name: str,
    usd: str,
    *,
    region: str = "eu-west-1",
    component: str = "Training",
    unit: str = "Hrs",
    currency: str = "USD",
    suffix: bool = False,
    published: str = "2026-11-18T20:12:41Z",
) -> dict[str, Any]:
    """One product with its price on demand, and a plan that is paid for in advance beside it."""
    named = {"instanceType": f"{name}-{component}"} if suffix else {"instanceName": name, "instanceType": name}
    sku = f"{abs(hash((name, component, region))):016X}"[:16]
    dimension = {
        "unit": unit,
        "endRange": "Inf",
        "description": f"${usd} per {component} {name} hour in EU (Ireland)",
        "appliesTo": [],
        "rateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "beginRange": "0",
        "pricePerUnit": {currency: usd},
    }
    return {
        "product": {
            "productFamily": "ML Instance",
            "attributes": {
                "regionCode": region,
                "servicecode": "AmazonSageMaker",
                "component": component,
                "computeType": "Standard Instances",
                "vCpu": "4",
                "memory": "16 GiB",
                "gpu": "N/A",
                "location": "EU (Ireland)",
                "locationType": "AWS Region",
                "usagetype": f"EU-Train:{name}",
                "operation": "RunInstance",
                "servicename": "Amazon SageMaker",
                **named,
            },
            "sku": sku,
        },
        "serviceCode": "AmazonSageMaker",
        "terms": {
            "OnDemand": {
                f"{sku}.JRTCKXETXF": {
                    "priceDimensions": {f"{sku}.JRTCKXETXF.6YS6EN2CT7": dimension},
                    "sku": sku,
                    "effectiveDate": "2026-11-01T00:00:00Z",
                    "offerTermCode": "JRTCKXETXF",
                    "termAttributes": {},
                }
            },
            "Reserved": {
                f"{sku}.4NA7Y494T4": {
                    "priceDimensions": {f"{sku}.4NA7Y494T4.X": {"unit": "Hrs", "pricePerUnit": {"USD": "0.0000000000"}}}
                }
            },
        },
        "version": "20261118201241",
        "publicationDate": published,
    }


class FakePricing:
    """boto3's client for ``pricing``, with two products a page; ``trouble`` is raised instead of an answer."""

    def __init__(self, products: Sequence[Mapping[str, Any]] = (), *, trouble: Exception | None = None) -> None:
        self.products = products
        self.trouble = trouble
        self.requests: list[dict[str, Any]] = []

    def get_products(self, **members: Any) -> dict[str, Any]:
        self.requests.append(members)
        if self.trouble is not None:
            raise self.trouble
        first = int(members.get("NextToken", "0"))
        page = [json.dumps(product) for product in self.products[first : first + 2]]
        more = {"NextToken": str(first + 2)} if first + 2 < len(self.products) else {}
        return {"FormatVersion": "aws_v1", "PriceList": page, **more}
