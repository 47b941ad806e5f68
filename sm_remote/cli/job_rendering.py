"""Lists of training jobs, and one training job, as text. Pure."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sm_remote.cli.attempt_rendering import (
    describe_newest,
    list_attempt_facts,
    render_attempts,
    render_checkpoints,
    render_savings,
)
from sm_remote.cli.inert_text import make_inert, make_lines_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.table import STATUS_COLOURS, paint, render_table, render_tabs
from sm_remote.cli.units import render_age, render_duration, render_moment
from sm_remote.costs import describe_charge

if TYPE_CHECKING:
    from sm_remote.aws.responses import TrainingJobDescription, TrainingJobSummary
    from sm_remote.cli.queries import JobDetails, JobList

BAR = 30
"""Columns of the timeline."""


def render_jobs(jobs: JobList, *, now: datetime, limit: int | None, colours: bool) -> str:
    """The list as a person reads it."""
    if not jobs.rows:
        return render_no_jobs(jobs)
    rows = [
        (
            make_inert(row.name),
            paint(row.status, STATUS_COLOURS.get(row.status), colours=colours),
            render_age(row.creation_time, now),
            _render_row_duration(row, now),
        )
        for row in jobs.rows
    ]
    text = render_table(("NAME", "STATUS", "CREATED", "DURATION"), rows)
    if jobs.has_more and limit is not None:
        text += f"The newest {limit}. More: `sm-remote jobs --limit {limit * 5}`, or `--all`.\n"
    return text


def render_no_jobs(jobs: JobList) -> str:
    """What is said where there is nothing to list."""
    return f"There are no such training jobs on the target {jobs.target!r}.\n"


def _render_row_duration(row: TrainingJobSummary, now: datetime) -> str:
    duration_s = measure_duration(row, now)
    return "" if duration_s is None else render_duration(duration_s)


def measure_duration(row: TrainingJobSummary | TrainingJobDescription, now: datetime) -> float | None:
    """Seconds from a job's creation to its end, or to now while it lives; None where the end is not known."""
    end = row.end_time if row.status.is_terminal else now
    return None if end is None else max(0.0, (end - row.creation_time).total_seconds())


def render_jobs_tabs(jobs: JobList, *, now: datetime) -> str:
    """Name, status, moment of creation and seconds, one job a line, for other programs."""
    return render_tabs([_list_cells(row, now) for row in jobs.rows])


def _list_cells(row: TrainingJobSummary, now: datetime) -> tuple[str, str, str, str]:
    duration_s = measure_duration(row, now)
    seconds = "" if duration_s is None else f"{duration_s:.3f}"
    return make_inert(row.name), str(row.status), render_moment(row.creation_time), seconds


def render_jobs_json(jobs: JobList, *, now: datetime) -> str:
    """The list as a JSON array."""
    return render_json(
        [
            {
                "name": row.name,
                "arn": row.arn,
                "status": str(row.status),
                "creation_time": _spell(row.creation_time),
                "end_time": _spell(row.end_time),
                "duration_s": measure_duration(row, now),
            }
            for row in jobs.rows
        ]
    )


def _spell(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def render_job(details: JobDetails, *, now: datetime, width: int, colours: bool) -> str:
    """One job as a person reads it."""
    job = details.description
    sections = [
        f"{make_inert(job.name)}\n" + render_table((), _list_facts(details, now, colours=colours), indent="  "),
        _render_phases(details),
        render_attempts(details.attempts),
        _render_failure(job, width, colours=colours),
        _render_tags(details.tags),
        _render_ways_back(details),
    ]
    return "\n".join(section for section in sections if section)


def _list_facts(details: JobDetails, now: datetime, *, colours: bool) -> list[tuple[str, str]]:
    job = details.description
    status = paint(job.status, STATUS_COLOURS.get(job.status), colours=colours)
    if str(job.secondary_status) != str(job.status):
        status += f" ({job.secondary_status})"
    duration_s = measure_duration(job, now)
    facts = [
        ("status", status),
        ("target", details.target),
        ("instance type", ", ".join(name if count == 1 else f"{name} x {count}" for name, count in job.machines)),
        ("image", job.image_uri or ""),
        ("created", f"{render_moment(job.creation_time)} ({render_age(job.creation_time, now)})"),
        ("duration", "" if duration_s is None else render_duration(duration_s)),
        ("billable", "" if job.billable_s is None else render_duration(job.billable_s)),
        ("savings", render_savings(job)),
        ("cost", details.spending.describe()),
        ("cost of call", _render_call_cost(details)),
        ("checkpoints", render_checkpoints(job, details.stored, now)),
        ("goes on as", _find_after(details)),
        ("goes on with", _find_before(details)),
    ]
    return [(name, value if name == "status" else make_inert(value)) for name, value in facts if value]


def _render_call_cost(details: JobDetails) -> str:
    """What all the jobs of its call have cost, where there are several."""
    if len(details.chain) < 2:
        return ""
    charge = describe_charge(details.call_usd, is_charged=details.spending.is_charged)
    return f"{charge}; {len(details.chain)} jobs"


def _find_after(details: JobDetails) -> str:
    """The job that goes on with this one's work, if one does."""
    later = list(details.chain)[list(details.chain).index(details.description.name) + 1 :] if details.chain else []
    return later[0] if later else ""


def _find_before(details: JobDetails) -> str:
    """The job whose work this one goes on with, if it does."""
    chain = list(details.chain)
    position = chain.index(details.description.name) if chain else 0
    return f"the work of {chain[position - 1]}" if position else ""


def _render_phases(details: JobDetails) -> str:
    phases = list(details.phases)
    if phases and details.description.status.is_terminal and phases[-1].name == details.description.secondary_status:
        phases.pop()  # the state that it ended in, said above; nothing happens in it
    if not phases:
        return ""
    origin = phases[0].start
    spans = [((phase.start - origin).total_seconds(), phase.duration_s) for phase in phases]
    whole_s = max(start_s + duration_s for start_s, duration_s in spans) or 1.0
    words = [render_duration(duration_s) for _, duration_s in spans]
    room = max(len(word) for word in words)
    rows = [
        (make_inert(phase.name), word.rjust(room), _draw(start_s / whole_s, duration_s / whole_s))
        for phase, word, (start_s, duration_s) in zip(phases, words, spans, strict=True)
    ]
    return "phases\n" + render_table((), rows, indent="  ")


def _draw(start: float, length: float) -> str:
    """A bar, at least one column long, where it lies in the whole."""
    first = min(round(start * BAR), BAR - 1)
    return " " * first + "=" * max(1, min(round(length * BAR), BAR - first))


def _render_failure(job: TrainingJobDescription, width: int, *, colours: bool) -> str:
    if not job.failure_reason:
        return ""
    wrapped = [
        textwrap.fill(line, max(width, 40), initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        for line in make_lines_inert(job.failure_reason)
    ]
    return paint("failure", "red", colours=colours) + "\n" + "\n".join(wrapped) + "\n"


def _render_tags(tags: dict[str, str]) -> str:
    rows = [(make_inert(name), make_inert(value)) for name, value in sorted(tags.items())]
    return "tags\n" + render_table((), rows, indent="  ") if rows else ""


def find_output_uri(job: TrainingJobDescription) -> str:
    """Where a job's output lies or will lie."""
    output = f"{job.output_uri}/{job.name}/output/"
    return output + ("output.tar.gz" if job.compressed else "data/")


def _render_ways_back(details: JobDetails) -> str:
    job = details.description
    target = "" if details.target == "local" else f", target={details.target!r}"
    rows = [
        ("model", make_inert(job.model_uri or "")),
        ("output", make_inert(find_output_uri(job))),
        ("log", f"sm-remote logs {make_inert(job.name)}"),
        ("value", f"sm_remote.attach({make_inert(job.name)!r}{target}).result()"),
    ]
    return render_table((), [row for row in rows if row[1]])


def _list_cost_facts(details: JobDetails) -> dict[str, Any]:
    spending = details.spending
    return {
        "usd": spending.usd,
        "is_charged": spending.is_charged,
        "is_final": spending.is_final,
        "billed_s": spending.billed_s,
        "usd_per_hour": spending.rate.usd_per_hour,
        "region": spending.rate.region,
        "price_origin": spending.rate.origin or None,
        "call_usd": details.call_usd,
    }


def render_job_json(details: JobDetails, *, now: datetime) -> str:
    """One job as a JSON object."""
    job = details.description
    return render_json(
        {
            "name": job.name,
            "arn": job.arn,
            "target": details.target,
            "status": str(job.status),
            "secondary_status": str(job.secondary_status),
            "failure_reason": job.failure_reason,
            "instance_type": job.instance_type,
            "image_uri": job.image_uri,
            "creation_time": _spell(job.creation_time),
            "start_time": _spell(job.start_time),
            "end_time": _spell(job.end_time),
            "duration_s": measure_duration(job, now),
            "billable_s": job.billable_s,
            "cost": _list_cost_facts(details),
            "phases": [
                {"name": phase.name, "start": _spell(phase.start), "duration_s": phase.duration_s}
                for phase in details.phases
            ],
            "attempts": list_attempt_facts(details.attempts),
            "chain": list(details.chain),
            "last_durable_checkpoint": describe_newest(job, details.stored),
            "tags": details.tags,
            "model_uri": job.model_uri,
            "output_uri": find_output_uri(job),
        }
    )
