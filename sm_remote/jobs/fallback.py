"""What follows a job on spot capacity that had not enough of it: the same on demand, from its checkpoints. Pure."""

from __future__ import annotations

import dataclasses

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.spec import SecondaryStatus, TrainingJobSpec, TrainingJobStatus
from sm_remote.wire.layout import CHECKPOINT_WATCH_VARIABLE, RUN_VARIABLE

CONTINUES_TAG = "sm_remote:continues"
_SUFFIX = "-on-demand"
_LONGEST_NAME = 63


def explain_shortage(end: TrainingJobDescription) -> str | None:
    """Why a job ended for want of capacity; None where it ended for another reason.

    Source: SageMaker Developer Guide, "Managed Spot Training": MaxWaitTimeExceeded; CapacityError as FailureReason.
    """
    if end.secondary_status is SecondaryStatus.MAX_WAIT_TIME_EXCEEDED:
        return "max_wait_time_in_seconds was exceeded"
    if end.status is TrainingJobStatus.FAILED and (end.failure_reason or "").startswith("CapacityError"):
        return "spot capacity was refused"
    return None


def build_successor(spec: TrainingJobSpec) -> TrainingJobSpec:
    """The same job on demand, which takes up the other's checkpoints as its own."""
    environment = {name: value for name, value in spec.environment.items() if name != CHECKPOINT_WATCH_VARIABLE}
    return dataclasses.replace(
        spec,
        name=spec.name[: _LONGEST_NAME - len(_SUFFIX)].rstrip("-") + _SUFFIX,
        spot=None,
        environment={**environment, RUN_VARIABLE: spec.name},
        tags=(*spec.tags, (CONTINUES_TAG, spec.name)),
    )


def find_run_name(description: TrainingJobDescription) -> str:
    """The name under which a job saves its checkpoints: its own, or that of the one whose work it goes on with."""
    return str((description.raw.get("Environment") or {}).get(RUN_VARIABLE) or description.name)
