"""The one way to a training job: its charges are entered, then its request is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.costs import BACKGROUND, Charges
from sm_remote.errors import JobNameInUse, RemoteError, ServiceUnavailable
from sm_remote.jobs.connection import Connection
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
