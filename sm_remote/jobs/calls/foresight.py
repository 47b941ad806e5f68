"""What a call would cost, told from its settings before anything of it is captured."""

from __future__ import annotations

from datetime import datetime, timezone

from sm_remote.aws.requests import build_create_training_job
from sm_remote.capture.function import display_name
from sm_remote.costs import Foresight, foresee, read_demand, read_price_book
from sm_remote.jobs.attach import connect_with
from sm_remote.jobs.creation.charges import find_code, find_prices, find_region, read_limits
from sm_remote.jobs.submission.members import choose_resources
from sm_remote.settings import ResolvedSettings
from sm_remote.spec import TrainingJobSpec


def check_affordable(func: object, settings: ResolvedSettings) -> None:
    """Refuses a call that may cost too much before anything of it is captured and stored, with AWS asked for a price.

    What is counted when its job is created decides; this spares the sending.

    Raises:
        MaxCostExceeded: It may cost too much, or nobody knows what it costs.
    """
    if settings.target != "sagemaker" or not read_limits(settings).are_set:
        return
    found = foresee_call(func, settings)
    if found.rate.missing:
        connection = connect_with(settings)
        if read_price_book(connection.home, found.rate.region).is_due(datetime.now(timezone.utc)):
            find_prices(connection)
            found = foresee_call(func, settings)
    if found.refusal is not None:
        raise found.refusal


def foresee_call(func: object, settings: ResolvedSettings) -> Foresight:
    """What a call would cost with these settings, before anything of it is captured.

    Raises:
        ConfigError: No instance type is named, or no region is known.
    """
    connection = connect_with(settings)
    resources = choose_resources(settings)
    spec = TrainingJobSpec(
        name="foreseen",
        role_arn="",
        image_uri="",
        output_uri="",
        resources=resources,
        max_runtime_s=settings.max_runtime_in_seconds,
        extra=settings.extra_request,
    )
    return foresee(
        connection.home,
        read_demand(build_create_training_job(spec)),
        target=settings.target,
        region=find_region(settings, connection),
        function=display_name(func),
        code=find_code(func),
        limits=read_limits(settings),
        now=datetime.now(timezone.utc),
    )
