"""What jobs have cost, and what prices are known, as text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.table import render_table, render_tabs
from sm_remote.cli.units import render_age, render_duration

if TYPE_CHECKING:
    from sm_remote.costs import Entry, Price, PriceBook
    from sm_remote.costs.summary import Line

_TITLES = {"function": "FUNCTION", "day": "DAY (UTC)", "instance-type": "INSTANCE TYPE", "call": "CALL"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CostReport:
    """What the ledger says since a moment.

    Attributes:
        since: Jobs that had ended before are not in it.
        by: How it is grouped.
        charged: Jobs on SageMaker.
        local: Jobs on this machine.
        ledger: The ledger's path.
    """

    since: datetime
    by: str
    charged: Sequence[Entry]
    local: Sequence[Entry]
    ledger: str


def render_costs(report: CostReport) -> str:
    """The report as a person reads it."""
    since = f"since {report.since:%Y-%m-%d}"
    if not report.charged and not report.local:
        return render_no_costs(report.since)
    parts = []
    if report.charged:
        parts.append(f"On SageMaker, {since}\n" + _render_lines(report.charged, report.by, is_charged=True))
        parts.append(_render_notes(report.charged))
    else:
        parts.append(f"Nothing was charged {since}.\n")
    if report.local:
        title = f"On this machine, {since}: no charge\n"
        parts.append(title + _render_lines(report.local, report.by, is_charged=False))
        parts.append(_render_unpriced(report.local))
    told = [entry for entry in (*report.charged, *report.local) if entry.usd_per_hour is not None]
    origins = dict.fromkeys(f"{entry.price_origin} ({entry.region})" for entry in told)
    listed = f"Prices on demand: {make_inert('; '.join(origins))}.\n" if origins else ""
    counted = "Counted is what this machine has started; AWS's bill is what you pay.\n"
    return "\n".join(part for part in parts if part) + "\n" + listed + counted


def render_no_costs(since: datetime) -> str:
    """What is said where the ledger has no job."""
    return (
        f"No job since {since:%Y-%m-%d}. Counted is what this machine has started since then, here and on SageMaker; "
        "AWS's bill knows the rest.\n"
    )


def _render_lines(entries: Sequence[Entry], by: str, *, is_charged: bool) -> str:
    from sm_remote.costs.summary import add_up, group

    lines = group(entries, by)
    total = add_up(entries, "total")
    shown = [*lines, total] if len(lines) > 1 else lines
    columns: list[tuple[str, list[str]]] = [
        (_TITLES[by], [make_inert(line.key) for line in shown]),
        ("CALLS", [str(line.calls) for line in shown]),
        ("JOBS", [str(line.jobs) for line in shown]),
        ("BILLED" if is_charged else "TRAINED", [_render_time(line, is_charged=is_charged) for line in shown]),
    ]
    if total.pool_s:
        columns.append(("WARM POOL", [render_duration(line.pool_s) if line.pool_s else "" for line in shown]))
    if total.saved_usd:
        columns.append(("SPOT SAVED", [_usd(line.saved_usd) if line.saved_usd else "" for line in shown]))
    columns.append(("COST" if is_charged else "ON SAGEMAKER", [_render_cost(line) for line in shown]))
    # Numbers stand below each other.
    aligned = [
        [name, *cells] if position == 0 else [cell.rjust(max(map(len, (name, *cells)))) for cell in (name, *cells)]
        for position, (name, cells) in enumerate(columns)
    ]
    headers, *rows = zip(*aligned, strict=True)
    return render_table(headers, rows)


def _render_time(line: Line, *, is_charged: bool) -> str:
    return "" if line.live == line.jobs else render_duration(line.billed_s if is_charged else line.trained_s)


def _render_cost(line: Line) -> str:
    if line.live == line.jobs:
        return "not yet known"
    return "unknown" if line.unpriced == line.jobs else _usd(line.cost_usd)


def _render_notes(entries: Sequence[Entry]) -> str:
    from sm_remote.costs.summary import add_up

    total = add_up(entries, "total")
    notes = []
    if total.live:
        notes.append(f"{_count(total.live, 'job is', 'jobs are')} not settled and may cost {_usd(total.reserved_usd)}.")
    return "".join(f"{note}\n" for note in notes) + _render_unpriced(entries)


def _render_unpriced(entries: Sequence[Entry]) -> str:
    unpriced = [entry for entry in entries if entry.usd_per_hour is None]
    if not unpriced:
        return ""
    names = ", ".join(sorted({entry.machines for entry in unpriced}))
    return (
        f"{_count(len(unpriced), 'job has', 'jobs have')} no known price ({make_inert(names)}): "
        "`sm-remote costs refresh-prices` asks AWS for those to come.\n"
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _usd(amount: float) -> str:
    from sm_remote.costs import render_usd

    return render_usd(amount)


def render_costs_tabs(report: CostReport) -> str:
    """Target, group, calls, jobs, seconds and dollars, one group a line, for other programs."""
    from sm_remote.costs.summary import group

    return render_tabs(
        [
            (
                target,
                make_inert(line.key),
                str(line.calls),
                str(line.jobs),
                f"{line.billed_s:.0f}",
                f"{line.pool_s:.0f}",
                f"{line.saved_usd:.6f}",
                "" if line.unpriced == line.jobs else f"{line.cost_usd:.6f}",
            )
            for target, entries in (("sagemaker", report.charged), ("local", report.local))
            for line in group(entries, report.by)
        ]
    )


def render_costs_json(report: CostReport) -> str:
    """The report as a JSON object."""
    from sm_remote.costs.summary import add_up, group

    def render(entries: Sequence[Entry]) -> dict[str, Any]:
        return {
            "groups": [asdict(line) for line in group(entries, report.by)],
            "total": asdict(add_up(entries, "total")),
            "jobs": [_render_entry(entry) for entry in entries],
        }

    return render_json(
        {
            "since": report.since.isoformat(),
            "by": report.by,
            "ledger": report.ledger,
            "sagemaker": render(report.charged),
            "local": {**render(report.local), "charged_usd": 0.0},
        }
    )


def _render_entry(entry: Entry) -> dict[str, Any]:
    return {
        **asdict(entry),
        "state": str(entry.state),
        "cost_usd": entry.cost_usd,
        "saved_usd": entry.saved_usd,
        "charged": entry.is_charged,
    }


def render_prices(book: PriceBook, prices: Sequence[Price], *, now: datetime) -> str:
    """What is known of a region's prices, and whence."""
    from sm_remote.costs import render_hourly

    head = f"{book.region}: " + (
        f"AWS was asked {render_age(book.fetched, now)}.\n" if book.fetched else "AWS has not told its prices yet.\n"
    )
    trouble = f"The last time it did not tell: {make_inert(book.trouble)}\n" if book.trouble else ""
    if not prices:
        return f"{head}{trouble}No price is known; `sm-remote costs refresh-prices` asks AWS.\n"
    figures = [render_hourly(price.usd_per_hour) for price in prices]
    room = max(map(len, (*figures, "AN HOUR")))
    rows = [
        (make_inert(price.instance_type), figure.rjust(room), make_inert(price.origin))
        for price, figure in zip(prices, figures, strict=True)
    ]
    return head + trouble + render_table(("INSTANCE TYPE", "AN HOUR".rjust(room), "SAYS"), rows)


def render_prices_json(book: PriceBook, prices: Sequence[Price]) -> str:
    """The prices as a JSON object."""
    found: Mapping[str, Any] = {
        "region": book.region,
        "fetched": None if book.fetched is None else book.fetched.isoformat(),
        "published": book.published or None,
        "trouble": book.trouble or None,
        "prices": [asdict(price) for price in prices],
    }
    return render_json(found)
