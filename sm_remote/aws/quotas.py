"""How many instances of a type an account may use for training, by Service Quotas.

Source: AWS General Reference, "Amazon SageMaker AI endpoints and quotas": the names of the quotas; Service Quotas API
Reference, ListServiceQuotas: what an account was granted, ListAWSDefaultServiceQuotas: what every account has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SERVICE = "sagemaker"
TRAINING = "training job usage"
SPOT = "spot training job usage"
WARM_POOL = "training warm pool usage"
KINDS = (TRAINING, SPOT, WARM_POOL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """One quota.

    Attributes:
        code: As a request for more names it: ``L-...``.
        name: ``ml.m5.large for training job usage``.
        value: Instances at the same time.
    """

    code: str
    name: str
    value: float


def read_quotas(client: Any, instance_type: str) -> Mapping[str, Quota]:
    """The quotas of an instance type by kind; one that AWS does not list is absent.

    Args:
        client: boto3's of the service ``service-quotas``.
        instance_type: As requests name it.
    """
    wanted = {f"{instance_type} for {kind}": kind for kind in KINDS}
    found: dict[str, Quota] = {}
    granted = client.get_paginator("list_service_quotas").paginate(ServiceCode=SERVICE)
    _pick(granted, wanted, found)
    if len(found) < len(wanted):
        defaults = client.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode=SERVICE)
        _pick(defaults, wanted, found)
    return found


def _pick(pages: Iterable[Mapping[str, Any]], wanted: Mapping[str, str], found: dict[str, Quota]) -> None:
    """There are thousands of quotas, and no way to ask for one by its name: it ends when all were seen."""
    for page in pages:
        for row in page["Quotas"]:
            kind = wanted.get(row["QuotaName"])
            if kind is not None and kind not in found:
                found[kind] = Quota(code=row["QuotaCode"], name=row["QuotaName"], value=row["Value"])
        if len(found) == len(wanted):
            return


def spell_increase(quota: Quota, count: int, region: str) -> str:
    """The command that asks for more."""
    return (
        f"aws service-quotas request-service-quota-increase --service-code {SERVICE} --quota-code {quota.code} "
        f"--desired-value {count} --region {region}"
    )
