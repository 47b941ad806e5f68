"""What the view of a job shows, out of what the API says and what the log has said. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.card.card import Card
from sm_remote.costs import find_billed, rate_job
from sm_remote.jobs.logs.line import Span
from sm_remote.jobs.outcome.reasons import render_reason

OUTPUT_MARK = "sm_remote"
"""In an output's metadata."""
CARD_LINES = 12
"""Of the log, below a card."""
_FAILURE_CHARACTERS = 300
_INTRODUCTION = re.compile(r"sm_remote: training job \S+ on [^(]*(?:\([^)]*\))?\.?\s*(?P<note>.*)")


def read_introduction(line: str) -> str | None:
    """What the first line of a job's log says beyond what a card shows: what its engine does not isolate.

    Returns:
        The note, which may be empty; None for any other line.
    """
    found = _INTRODUCTION.fullmatch(line)
    return None if found is None else found["note"]


def build_card(
    description: TrainingJobDescription,
    *,
    now: datetime,
    is_local: bool,
    metrics: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    hint: str = "",
    tail: Sequence[Sequence[Span]] = (),
) -> Card:
    """Reads a job's state.

    Args:
        description: The job.
        now: This moment, for what lasts.
        is_local: Whether it runs on this machine.
        metrics: The last value of each, where the log was followed.
        notes: What went and came.
        hint: What a person can do while the job is live.
        tail: The last lines of its log.
    """
    end = description.end_time or now
    return Card(
        name=description.name,
        status=str(description.status),
        machine=_name_machine(description, is_local=is_local),
        phases=tuple(_list_phases(description, now)),
        elapsed_s=max(0.0, (end - description.creation_time).total_seconds()),
        is_local=is_local,
        cost_usd=rate_job(description).cost_usd(find_billed(description, now)),
        metrics=metrics or {},
        notes=notes,
        hint="" if description.status.is_terminal else hint,
        tail=tail,
        failure=render_reason(description.failure_reason or "").partition("\n")[0][:_FAILURE_CHARACTERS],
        seen="" if description.status.is_terminal else f"{now.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC",
    )


def mark_output(description: TrainingJobDescription, *, is_local: bool) -> dict[str, Any]:
    """What a card's output says of itself in the notebook's file: by it the panel finds those of live jobs."""
    if description.status.is_terminal:
        return {}
    return {OUTPUT_MARK: {"job": description.name, "target": "local" if is_local else "sagemaker"}}


def _name_machine(description: TrainingJobDescription, *, is_local: bool) -> str:
    count = int((description.raw.get("ResourceConfig") or {}).get("InstanceCount") or 1)
    machine = description.instance_type or ""
    machine = machine if count == 1 else f"{count} x {machine}"
    return f"{machine} on this machine" if is_local else f"{machine} on Amazon SageMaker"


def _list_phases(description: TrainingJobDescription, now: datetime) -> Iterable[tuple[str, float]]:
    """Stretches that share a name follow one another as one phase."""
    phases: list[tuple[str, float]] = []
    for transition in description.transitions:
        seconds = max(0.0, ((transition.end or now) - transition.start).total_seconds())
        if phases and phases[-1][0] == transition.status:
            phases[-1] = (transition.status, phases[-1][1] + seconds)
        else:
            phases.append((transition.status, seconds))
    return phases


class MetricReader:
    """The last value of each metric that a job's request defines, read out of its log."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        definitions = (request.get("AlgorithmSpecification") or {}).get("MetricDefinitions") or ()
        self._patterns = {each["Name"]: re.compile(each["Regex"]) for each in definitions}
        self.values: dict[str, float] = {}

    def read(self, line: str) -> None:
        """Takes a line of the log."""
        for name, pattern in self._patterns.items():
            found = pattern.search(line)
            if found is not None:
                try:
                    self.values[name] = float(found[1])
                except (ValueError, IndexError, TypeError):
                    continue
