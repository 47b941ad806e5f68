"""Why a job ended without a value, as an error, where it left no exception: from what the API and its log say. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.costs import read_mark, render_usd
from sm_remote.errors import JobError, JobFailed, JobStopped, MaxCostReached, OutcomeMissing, OutOfMemory, TimedOut
from sm_remote.spec import SecondaryStatus, TrainingJobStatus
from sm_remote.wire.marker import DISPLAY_PREFIX, MARKER_PREFIX

_MEMORY_WORDS = re.compile(r"OutOfMemory|instance type with more memory|out of memory", re.IGNORECASE)
_AROUND_REASON = re.compile(r"\AAlgorithmError: (\S.*), exit code: \d+\Z", re.DOTALL)
_BYTES = re.compile(r"(limit|peak) (\d+) bytes")


def explain_stop(description: TrainingJobDescription) -> JobError:
    """The error of a job that was stopped: by a limit of its time, of its wait or of its cost, or by somebody."""
    name = description.name
    if description.secondary_status is SecondaryStatus.MAX_RUNTIME_EXCEEDED:
        limit_s = description.raw.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        mark = read_mark(description.raw.get("Environment"))
        if mark is not None and mark.limits.max_cost is not None and limit_s is not None and limit_s < mark.runtime_s:
            return MaxCostReached(
                f"Training job {name} reached max_cost ({render_usd(mark.limits.max_cost)}) after {limit_s} s and was "
                "stopped.",
                why="SageMaker stops it after the time that max_cost pays for at on-demand prices.",
                fix="Raise max_cost, use a cheaper instance_type, or save checkpoints and call again.",
                job_name=name,
                limit_s=limit_s,
                max_cost=mark.limits.max_cost,
            )
        return TimedOut(
            f"Training job {name} ran into its limit of {limit_s} s and was stopped.",
            why="max_runtime_in_seconds was reached.",
            fix="Raise max_runtime_in_seconds, use a faster instance_type, or save checkpoints.",
            job_name=name,
            limit_s=limit_s,
        )
    if description.secondary_status is SecondaryStatus.MAX_WAIT_TIME_EXCEEDED:
        return TimedOut(f"Training job {name} waited for spot capacity longer than it was allowed to.", job_name=name)
    return JobStopped(
        f"Training job {name} was stopped.",
        why="Somebody asked for it: an interrupt, stop(), `sm-remote stop` or the panel.",
        job_name=name,
    )


def explain_failure(description: TrainingJobDescription, tail: Sequence[str]) -> JobError:
    """The error of a job that left no outcome, from FailureReason and the log."""
    name, reason = description.name, description.failure_reason or ""
    shown = "\n".join([line for line in tail if not line.startswith((MARKER_PREFIX, DISPLAY_PREFIX))][-5:])
    if description.status is TrainingJobStatus.COMPLETED:
        return OutcomeMissing(
            f"Training job {name} completed, but its log holds no record of an outcome.",
            fix=f"See the log: `sm-remote logs {name}`.",
            job_name=name,
        )
    if _MEMORY_WORDS.search(reason):
        found = {kind: int(number) for kind, number in _BYTES.findall(reason)}
        return build_out_of_memory(description, limit_bytes=found.get("limit"), peak_bytes=found.get("peak"))
    return JobFailed(
        f"Training job {name} failed.",
        why=render_reason(reason) or "SageMaker gave no reason." + (f" Its last lines:\n{shown}" if shown else ""),
        fix=f"See the log: `sm-remote logs {name}`.",
        job_name=name,
        failure_reason=reason,
    )


def build_out_of_memory(
    description: TrainingJobDescription, *, limit_bytes: int | None, peak_bytes: int | None
) -> OutOfMemory:
    """The error of a job that needed more memory than it had."""
    known = [f"used {_render_size(peak_bytes)}"] if peak_bytes else []
    known += [f"limit {_render_size(limit_bytes)}"] if limit_bytes else []
    known += [description.instance_type] if description.instance_type else []
    return OutOfMemory(
        f"Training job {description.name} ran out of memory" + (f" ({', '.join(known)})." if known else "."),
        why=render_reason(description.failure_reason or ""),
        fix="Use an instance_type with more memory, or less data at a time; "
        "retry_on=OutOfMemory takes the next larger type.",
        job_name=description.name,
        limit_bytes=limit_bytes,
        peak_bytes=peak_bytes,
    )


def render_reason(reason: str) -> str:
    """A FailureReason without what SageMaker puts around the job's own words, where there are any."""
    return _AROUND_REASON.sub(r"\1", reason)


def _render_size(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"
