"""The prices that are known here: what AWS was asked for, kept in a private file for each region, then the catalogue's.

Reading is cheap and asks nobody. `refresh` asks AWS, and `is_due` says whether that makes sense: once a day, whether
the last time brought prices or a refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sm_remote.aws.pricing import PriceList, fetch_prices
from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.catalogue import PRICE_REGION, find_instance_type
from sm_remote.costs.demand import Demand, read_demand
from sm_remote.costs.price import Price, Rate, add_prices
from sm_remote.errors import CredentialsExpired, RemoteError
from sm_remote.home import Home, find_home, make_private, write_private

REFRESH_AFTER = timedelta(days=1)
CATALOGUE_ORIGIN = "list price, date unknown"
_FORMAT = 1
_REGION = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceBook:
    """What is known of one region's prices.

    Attributes:
        region: As AWS spells it.
        usd_per_hour: What AWS said, by instance type; empty where it was never asked.
        published: The date of AWS's list; empty where that is not known.
        fetched: When AWS was asked with success; None before.
        tried: When AWS was asked last, with success or without.
        trouble: Why it did not say, the last time; empty where it did.
    """

    region: str
    usd_per_hour: Mapping[str, float]
    published: str = ""
    fetched: datetime | None = None
    tried: datetime | None = None
    trouble: str = ""

    def find(self, instance_type: str) -> Price | None:
        """The price of an instance type; None where nobody has told it."""
        told = self.usd_per_hour.get(instance_type)
        if told is not None and self.fetched is not None:
            origin = f"AWS price list of {self.published or f'{self.fetched:%Y-%m-%d}'}"
            return Price(instance_type=instance_type, region=self.region, usd_per_hour=told, origin=origin)
        try:
            shipped = find_instance_type(instance_type).price_usd_per_hour(self.region)
        except KeyError:
            shipped = None
        if shipped is None:
            return None
        return Price(instance_type=instance_type, region=self.region, usd_per_hour=shipped, origin=CATALOGUE_ORIGIN)

    def rate(self, demand: Demand) -> Rate:
        """What an hour of a job costs."""
        return add_prices(demand, [self.find(name) for name, _ in demand.machines], self.region)

    def is_due(self, now: datetime) -> bool:
        """Whether AWS is to be asked again."""
        return self.tried is None or not timedelta(0) <= now - self.tried < REFRESH_AFTER


def choose_region(region: str | None) -> str:
    """The region whose prices count where a job runs in none: the one that was set, else the catalogue's."""
    return region or PRICE_REGION


def read_price_book(home: Home, region: str) -> PriceBook:
    """The prices that are known of a region. A file that cannot be read counts as none."""
    try:
        content = json.loads(_find_file(home, region).read_text())
        if content["format"] != _FORMAT or content["region"] != region:
            return PriceBook(region=region, usd_per_hour={})
        return PriceBook(
            region=region,
            usd_per_hour={str(name): float(price) for name, price in content["usd_per_hour"].items()},
            published=str(content["published"]),
            fetched=_parse_moment(content["fetched"]),
            tried=_parse_moment(content["tried"]),
            trouble=str(content["trouble"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return PriceBook(region=region, usd_per_hour={})


def rate_job(description: TrainingJobDescription, home: Home | None = None) -> Rate:
    """What an hour of a job costs where it runs; of one on this machine, what it would in the catalogue's region.

    Args:
        description: The job.
        home: This user's state; by default that of this process.
    """
    fields = description.arn.split(":")
    region = fields[3] if len(fields) > 3 else PRICE_REGION
    return read_price_book(home or find_home(), region).rate(read_demand(description.raw))


def refresh(home: Home, region: str, client: Any, *, now: datetime) -> PriceBook:
    """Asks AWS for a region's prices and keeps them; the old ones stay where it does not say.

    Args:
        home: This user's state.
        region: As AWS spells it.
        client: boto3's for ``pricing``.
        now: This moment.

    Raises:
        ConfigError: The credentials do not allow it; that it was tried is kept.
        ServiceUnavailable: AWS does not answer; that it was tried is kept.
        CredentialsExpired: They were good once; nothing is kept.
    """
    try:
        found = fetch_prices(client, region)
    except CredentialsExpired:  # after a new sign-in it is asked again, not tomorrow
        raise
    except RemoteError as error:
        _write(home, _keep_trouble(read_price_book(home, region), error, now))
        raise
    book = _build(found, now)
    _write(home, book)
    return book


def _build(found: PriceList, now: datetime) -> PriceBook:
    return PriceBook(
        region=found.region, usd_per_hour=found.usd_per_hour, published=found.published, fetched=now, tried=now
    )


def _keep_trouble(book: PriceBook, error: RemoteError, now: datetime) -> PriceBook:
    return PriceBook(
        region=book.region,
        usd_per_hour=book.usd_per_hour,
        published=book.published,
        fetched=book.fetched,
        tried=now,
        trouble=error.what,
    )


def _write(home: Home, book: PriceBook) -> None:
    content = {
        "format": _FORMAT,
        "region": book.region,
        "published": book.published,
        "fetched": None if book.fetched is None else book.fetched.isoformat(),
        "tried": None if book.tried is None else book.tried.isoformat(),
        "trouble": book.trouble,
        "usd_per_hour": dict(sorted(book.usd_per_hour.items())),
    }
    make_private(home.prices)
    write_private(_find_file(home, book.region), json.dumps(content, indent=1))


def _find_file(home: Home, region: str) -> Path:
    if not _REGION.fullmatch(region):
        raise ValueError(f"{region!r} is no region.")
    return home.prices / f"{region}.json"


def _parse_moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
