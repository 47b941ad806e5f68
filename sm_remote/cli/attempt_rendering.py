"""A job's attempts, savings and last durable checkpoint, as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.table import render_table
from sm_remote.cli.units import render_duration, render_moment

if TYPE_CHECKING:
    from sm_remote.aws.responses import TrainingJobDescription
    from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration
    from sm_remote.jobs.succession.attempts import Attempt


def render_attempts(attempts: Sequence[Attempt]) -> str:
    """One line an attempt; nothing where there was one alone."""
    if len(attempts) < 2:
        return ""
    moved = len({(each.job_name, each.instance_type) for each in attempts}) > 1
    rows = [
        (
            str(each.number),
            render_moment(each.start),
            "" if each.duration_s is None else render_duration(each.duration_s),
            make_inert(each.cause or "runs"),
            _render_loss(each),
            *((_render_place(each),) if moved else ()),
        )
        for each in attempts
    ]
    return "attempts\n" + render_table((), rows, indent="  ")


def _render_place(attempt: Attempt) -> str:
    """Where it ran, or was to run: the jobs of a call may be on different machines."""
    return make_inert(f"{attempt.instance_type}{' (spot)' if attempt.spot else ''}  {attempt.job_name}")


def _render_loss(attempt: Attempt) -> str:
    parts = []
    if attempt.resumed_step is not None:
        parts.append(f"from step {attempt.resumed_step}")
    if attempt.lost_s is None:
        parts.append("lost work not known")
    elif attempt.lost_s or attempt.cause == "Interrupted":
        about = "about " if attempt.is_estimate else ""
        estimated = " (an estimate)" if attempt.is_estimate else ""
        parts.append(f"lost {about}{render_duration(attempt.lost_s)}{estimated}")
    return ", ".join(parts)


def list_attempt_facts(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """The attempts for a program."""
    return [
        {
            "number": each.number,
            "start": each.start.isoformat(),
            "end": None if each.end is None else each.end.isoformat(),
            "cause": each.cause or None,
            "lost_s": each.lost_s,
            "lost_is_estimate": each.is_estimate,
            "resumed_step": each.resumed_step,
            "job_name": each.job_name,
            "instance_type": each.instance_type,
            "spot": each.spot,
        }
        for each in attempts
    ]


def render_savings(job: TrainingJobDescription) -> str:
    """What spot capacity has saved, as SageMaker puts it."""
    from sm_remote.jobs.succession.attempts import compute_savings

    savings = compute_savings(job)
    return "" if savings is None else f"{savings:.1f}% (Managed Spot Training)"


def render_checkpoints(job: TrainingJobDescription, stored: Sequence[StoredGeneration], now: datetime) -> str:
    """How much an interruption would cost now; after the end, where the checkpoints lie."""
    from sm_remote.jobs.artifacts.stored_checkpoints import describe_durable, find_durable
    from sm_remote.jobs.succession.plan import find_run_name

    config = job.raw.get("CheckpointConfig")
    if not config:
        return ""
    if job.status.is_terminal or str(job.secondary_status) != "Training":
        return str(config["S3Uri"])
    durable = find_durable(stored, find_run_name(job))
    if durable is None and not job.raw.get("EnableManagedSpotTraining"):
        return str(config["S3Uri"])
    return describe_durable(durable, now=now.timestamp())


def describe_newest(job: TrainingJobDescription, stored: Sequence[StoredGeneration]) -> dict[str, Any] | None:
    """The last durable checkpoint for a program."""
    from sm_remote.jobs.artifacts.stored_checkpoints import find_durable
    from sm_remote.jobs.succession.plan import find_run_name

    durable = find_durable(stored, find_run_name(job))
    if durable is None:
        return None
    return {
        "name": durable.name,
        "step": durable.step,
        "metric": durable.metric,
        "saved_at_s": durable.saved_at,
        "size_bytes": durable.size_bytes,
    }
