"""The one way to a training job: its charges are entered, then its request is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from sm_remote.costs import BACKGROUND, Charges, Limits, refresh
from sm_remote.errors import JobNameInUse, RemoteError, ServiceUnavailable
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.lock import JobLock
from sm_remote.runtime.cell import Cell
from sm_remote.settings import ResolvedSettings
from sm_remote.wire.layout import RUN_VARIABLE


def create_training_job(request: Mapping[str, Any], connection: Connection, charges: Charges | None) -> str:
    """Creates a training job and returns its ARN.

    An answer that was lost leaves the job's entry in the ledger: it may have been created.

    Raises:
        MaxCostExceeded: It may cost more than is allowed; nothing was sent.
        JobNameInUse: Another job has the name.
        SubmitError: The API refused.
    """
    if charges is None:
        return connection.training_jobs.create(request)
    allowed = charges.reserve(request)
    try:
        arn = connection.training_jobs.create(allowed)
    except RemoteError as error:
        if not _may_exist(error, request):
            charges.withdraw(request["TrainingJobName"])
        raise
    if connection.target == "sagemaker":
        session = connection.training_jobs.session
        BACKGROUND.begin(
            connection.home,
            session.region,
            connection.training_jobs,
            lambda: session.client("pricing"),
            find_account=lambda: session.account,
        )
    return arn


def _may_exist(error: RemoteError, request: Mapping[str, Any]) -> bool:
    """Whether there may be such a job of this call although creating it has failed."""
    if isinstance(error, JobNameInUse):  # another process was faster to go on with its work
        return RUN_VARIABLE in (request.get("Environment") or {})
    return bool(error.facts.get("may_exist", isinstance(error, ServiceUnavailable)))


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
