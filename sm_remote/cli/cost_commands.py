"""The commands about what jobs cost: costs, costs prices, costs refresh-prices."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import click

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.options import json_option
from sm_remote.cli.world import World
from sm_remote.errors import RemoteError

if TYPE_CHECKING:
    from sm_remote.costs import PriceBook

DEFAULT_SINCE = "30d"
_AGO = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@click.group(invoke_without_command=True)
@click.option(
    "--since",
    default=DEFAULT_SINCE,
    show_default=True,
    metavar="WHEN",
    help="Jobs that ended since then, and live ones: 12h, 7d, 4w, or a date such as 2026-11-01 (UTC).",
)
@click.option(
    "--by",
    type=click.Choice(["function", "day", "instance-type", "call"]),
    default="function",
    show_default=True,
    help="What is added up.",
)
@click.option("--offline", is_flag=True, help="Ask nobody how open jobs have ended.")
@json_option
@click.pass_context
def costs(ctx: click.Context, since: str, by: str, offline: bool, as_json: bool) -> None:
    """Tell what the jobs have cost that this machine has started.

    Jobs on this machine cost nothing; what SageMaker would have charged for them stands beside. Jobs whose end nobody
    has watched are looked at first.
    """
    if ctx.invoked_subcommand is not None:
        return
    from sm_remote.cli.cost_rendering import (
        CostReport,
        render_costs,
        render_costs_json,
        render_costs_tabs,
        render_no_costs,
    )
    from sm_remote.costs import Ledger

    world: World = ctx.obj
    moment = parse_since(since, world.now())
    if not offline:
        _settle(world)
    ledger = Ledger(world.home)
    entries = ledger.list_since(moment.timestamp())
    report = CostReport(
        since=moment,
        by=by,
        charged=[entry for entry in entries if entry.is_charged],
        local=[entry for entry in entries if not entry.is_charged],
        ledger=str(ledger.path),
    )
    if as_json:
        text = render_costs_json(report)
    elif not entries and not world.terminal:
        sys.stderr.write(render_no_costs(moment))  # a program reads no line, a person why there is none
        return
    else:
        text = render_costs(report) if world.terminal else render_costs_tabs(report)
    sys.stdout.write(text)


def parse_since(text: str, now: datetime) -> datetime:
    """Reads ``12h``, ``7d``, ``4w`` or a date of UTC.

    Raises:
        BadParameter: It is none of these.
    """
    found = _AGO.fullmatch(text.strip())
    if found is not None:
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither 12h, 7d or 4w nor a date.", param_hint="--since") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _settle(world: World) -> None:
    """Looks how open jobs have ended; nobody is asked where there is none, and no service is started for it."""
    from sm_remote.costs import Ledger, settle_open

    ledger = Ledger(world.home)
    for target in ("sagemaker", "local"):
        if not ledger.list_unsettled(1, target=target) or (target == "local" and world.service.find() is None):
            continue
        try:
            api = world.connect(target).training_jobs
            region, account = (api.session.region, api.session.account) if target == "sagemaker" else (None, None)
            found = settle_open(world.home, target, api, now=world.now(), region=region, account=account)
            trouble = found.trouble
        except RemoteError as error:
            trouble = error.what
        if trouble:
            sys.stderr.write(f"How open jobs have ended cannot be seen: {make_inert(trouble)}\n")


_region_option = click.option("--region", metavar="REGION", help="By default that of the settings.")


@costs.command()
@click.argument("instance_types", nargs=-1, metavar="[INSTANCE_TYPE]...")
@_region_option
@json_option
@click.pass_obj
def prices(world: World, instance_types: tuple[str, ...], region: str | None, as_json: bool) -> None:
    """List the prices that are known here, each with who says so. Nobody is asked."""
    from sm_remote.catalogue import list_instance_types
    from sm_remote.cli.cost_rendering import render_prices, render_prices_json
    from sm_remote.costs import choose_region, read_price_book

    book = read_price_book(world.home, choose_region(region or world.resolve().region))
    names = instance_types or sorted({*(found.name for found in list_instance_types()), *book.usd_per_hour})
    found = [price for price in map(book.find, names) if price is not None]
    sys.stdout.write(render_prices_json(book, found) if as_json else render_prices(book, found, now=world.now()))


@costs.command("refresh-prices")
@_region_option
@click.pass_obj
def refresh_prices(world: World, region: str | None) -> None:
    """Ask AWS for the prices of a region; it takes pricing:GetProducts."""
    from sm_remote.costs import refresh

    session = world.connect("sagemaker").training_jobs.session
    book = refresh(world.home, region or session.region, session.client("pricing"), now=world.now())
    sys.stdout.write(_describe_refresh(book))


def _describe_refresh(book: PriceBook) -> str:
    if not book.usd_per_hour:
        return f"AWS lists no price of training in {make_inert(book.region)}.\n"
    count = f"{len(book.usd_per_hour)} price{'' if len(book.usd_per_hour) == 1 else 's'}"
    return f"Kept {count} of {make_inert(book.region)}: AWS price list of {book.published}.\n"
