"""Where many jobs run, as the first line of a `map`. A single job's own log begins with such a line."""

from __future__ import annotations

from sm_remote.aws.local_service import call_service
from sm_remote.costs import render_usd
from sm_remote.errors import RemoteError
from sm_remote.jobs.calls.foresight import foresee_call
from sm_remote.jobs.connection import Connection
from sm_remote.settings import ResolvedSettings


def announce_cost(func: object, settings: ResolvedSettings, *, total: int | None) -> str:
    """What the jobs of a `map` are going to cost on SageMaker, each and all together, as far as that can be told."""
    found = foresee_call(func, settings)
    each = found.estimate.describe()
    price = "" if found.rate.usd_per_hour is None else f"; {found.rate.describe()}"
    median = found.estimate.median_usd
    whole = "" if median is None or total is None else f", {render_usd(median * total)} for all {total}"
    return f"sm_remote: cost of each: {each}{whole}{price}"


def announce_many(connection: Connection, settings: ResolvedSettings, *, limit: int) -> str:
    """Says where the jobs of a `map` run, as what, how many at a time, and what the local engine does not isolate."""
    size = "all of it" if settings.whole_host else f"as {settings.instance_type}"
    if settings.target == "sagemaker":
        return f"sm_remote: training jobs on Amazon SageMaker ({size}, at most {limit} at a time)"
    line = f"sm_remote: training jobs on this machine ({size}, at most {limit} at a time)"
    note = _ask_engine(connection)
    return f"{line}. {note}" if note else line


def _ask_engine(connection: Connection) -> str:
    discovery = connection.training_jobs.session.discovery
    if discovery is None:
        return ""
    try:
        return str(call_service(discovery, "Status", {}, limit_s=5).get("EngineNote") or "")
    except RemoteError:  # it has ended meanwhile; the first job starts it again
        return ""
