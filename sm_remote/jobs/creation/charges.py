"""What a job may cost: the charges that are entered before it is created, and what they are told from."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone

from sm_remote.costs import Charges, Limits, refresh
from sm_remote.errors import RemoteError
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.creation.lock import JobLock
from sm_remote.runtime.cell import Cell
from sm_remote.settings import ResolvedSettings


def find_code(func: object, lock: JobLock | None = None) -> str:
    """A digest by which runs of the same code are known again; of a cell, whose file is another's each time, its text.

    Args:
        func: What is called.
        lock: What the job is made of, where it is captured already.
    """
    if isinstance(func, Cell):
        return hashlib.sha256(func.source.encode()).hexdigest()
    return str(((lock or {}).get("code") or {}).get("hash") or "")


def read_limits(settings: ResolvedSettings) -> Limits:
    """What the settings allow a call to cost."""
    return Limits(max_cost=settings.max_cost, max_cost_per_day=settings.max_cost_per_day)


def open_charges(
    settings: ResolvedSettings, connection: Connection, lock: JobLock, func: object | None = None
) -> Charges:
    """The charges of a call that is about to be made; `func` is what is called, where that is here."""
    code = lock.get("code") or {}
    return Charges(
        home=connection.home,
        target=connection.target,
        region=find_region(settings, connection),
        function=str(code.get("function") or ""),
        code=find_code(func, lock),
        limits=read_limits(settings),
        has_price=not settings.whole_host,
        find_prices=lambda: find_prices(connection),
        find_account=lambda: connection.training_jobs.session.account,
    )


def find_charges(connection: Connection) -> Charges:
    """The charges of a job that exists: its end is entered, if this machine has started it."""
    return Charges(
        home=connection.home,
        target=connection.target,
        region=connection.training_jobs.session.region if connection.target == "sagemaker" else None,
        find_prices=lambda: find_prices(connection),
        find_account=lambda: connection.training_jobs.session.account,
    )


def find_region(settings: ResolvedSettings, connection: Connection) -> str | None:
    """Where a job runs, and its prices are those of; on this machine the region that is set, if one is."""
    return connection.training_jobs.session.region if connection.target == "sagemaker" else settings.region


def find_prices(connection: Connection) -> None:
    """Asks for the prices at once: a limit cannot be held without one. What goes wrong is said by who looks again."""
    session = connection.training_jobs.session
    try:
        refresh(connection.home, session.region, session.client("pricing"), now=datetime.now(timezone.utc))
    except RemoteError:
        return
