"""Reads the catalogue: figures from the table beside this file, names from botocore's enum.

The table says in each row where its figures come from. It is read when it is first needed, and botocore is asked only
for a name that is not in it, or for the whole list.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from sm_remote.catalogue.instance_type import InstanceType

PRICE_REGION = "us-east-1"
"""The one region whose prices the table holds."""

_TABLE = Path(__file__).with_name("instance_types.csv")


def find_instance_type(name: str) -> InstanceType:
    """Looks up an instance type by its whole name.

    Raises:
        KeyError: Neither the table nor botocore knows it.
    """
    known = read_table().get(name)
    if known is not None:
        return known
    if name in list_names():
        return InstanceType(name=name)
    raise KeyError(name)


def list_instance_types() -> list[InstanceType]:
    """Lists every instance type, in the order of their names, those of unknown size too."""
    table = read_table()
    return [table.get(name) or InstanceType(name=name) for name in sorted({*table, *list_names()})]


@lru_cache(maxsize=1)
def read_table() -> dict[str, InstanceType]:
    """Reads the table, by name; nothing else is imported for it."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return {row["instance_type"]: _parse_row(row) for row in csv.DictReader(file)}


@lru_cache(maxsize=1)
def list_names() -> tuple[str, ...]:
    """Lists the names that botocore knows.

    Source: the shape TrainingInstanceType of the service model of sagemaker.
    """
    import botocore.loaders

    loader = botocore.loaders.create_loader()
    model = loader.load_service_model("sagemaker", "service-2")
    return tuple(model["shapes"]["TrainingInstanceType"]["enum"])


def _parse_row(row: dict[str, str]) -> InstanceType:
    return InstanceType(
        name=row["instance_type"],
        vcpu=int(row["vcpu"]) if row["vcpu"] else None,
        memory_gib=_parse_figure(row["memory_gib"]),
        accelerator=row["accelerator"] or None,
        accelerator_count=int(row["accelerator_count"] or 0),
        accelerator_memory_gib=_parse_figure(row["accelerator_memory_gib"]),
        architecture=row["architecture"] or None,
        nvme_gb=_parse_figure(row["nvme_gb"]),
        prices_usd_per_hour={PRICE_REGION: float(row["price_usd_per_hour"])} if row["price_usd_per_hour"] else {},
        price_source=row["price_source"],
        spec_source=row["spec_source"],
    )


def _parse_figure(text: str) -> float | None:
    return float(text) if text else None
