"""A job in a few lines of HTML: state, phases, time and cost, what went and came, its last lines. Pure.

It is all that is left of a job in a notebook that is opened again, so it needs neither a kernel nor a script; of a job
that had not ended it says when that was seen, and how to see more. Every text in it is escaped; colours are the
theme's, and no meaning is in a colour alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from sm_remote.costs import describe_charge
from sm_remote.jobs.logs.line import Span

_MARKS = {"Completed": "✓", "Failed": "✕", "Stopped": "■", "Stopping": "■"}
_COLOURS = {
    "Completed": "var(--jp-success-color1, #388e3c)",
    "Failed": "var(--jp-error-color1, #d32f2f)",
    "Stopped": "var(--jp-warn-color1, #f57c00)",
    "Stopping": "var(--jp-warn-color1, #f57c00)",
}
_RUNNING = "var(--jp-brand-color1, #1976d2)"
_MUTED = "color:var(--jp-ui-font-color2, #616161)"
_FONT = "font-family:var(--jp-ui-font-family, system-ui, sans-serif);font-size:var(--jp-ui-font-size1, 13px)"
_CODE = "font-family:var(--jp-code-font-family, monospace);font-size:var(--jp-code-font-size, 13px)"
_ANSI = (
    *("#3e424d", "#e75c58", "#00a250", "#ddb62b", "#208ffb", "#d160c4", "#60c6c8", "#c5c1b4"),
    *("#282c36", "#b22b31", "#007427", "#b27d12", "#0065ca", "#a03196", "#258f8f", "#a1a6b2"),
)
"""Jupyter's own, for light and dark. Source: rendermime's base.css, whose classes hold in its own output alone."""
_CSS = {
    "bold": "font-weight:bold",
    "dim": "opacity:0.7",
    "italic": "font-style:italic",
    "underline": "text-decoration:underline",
    "inverse": "filter:invert(1)",
    "strike": "text-decoration:line-through",
}
_HEX = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """What is shown of a job.

    Attributes:
        name: The training job's.
        status: ``InProgress``, ``Completed``, ``Failed``, ``Stopping`` or ``Stopped``.
        machine: What it runs on: ``ml.m5.large on this machine``.
        phases: Each phase with its seconds so far; the last one lasts while the job is live.
        elapsed_s: Since it was created.
        is_local: Whether it runs on this machine, and so costs nothing.
        cost_usd: What SageMaker charges, or would charge, for it so far; None where the price is unknown.
        metrics: The last value of each.
        notes: What went and came, and what did not.
        hint: What a person can do now.
        tail: The last lines of its log.
        failure: Why it failed.
        seen: When all this was so, of a job that had not ended: ``2026-11-21 18:03:12 UTC``.
    """

    name: str
    status: str
    machine: str = ""
    phases: Sequence[tuple[str, float]] = ()
    elapsed_s: float = 0.0
    is_local: bool = True
    cost_usd: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    hint: str = ""
    tail: Sequence[Sequence[Span]] = ()
    failure: str = ""
    seen: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the job has not ended."""
        return self.status in ("InProgress", "Stopping")


def render_card(card: Card) -> str:
    """The card as HTML."""
    colour = _COLOURS.get(card.status, _RUNNING)
    state = "Running" if card.status == "InProgress" else card.status
    facts = " · ".join(
        escape(fact) for fact in (card.machine, render_seconds(card.elapsed_s), render_cost(card)) if fact
    )
    parts = [
        f'<div><strong style="color:{colour}">{_MARKS.get(card.status, "●")} {escape(state)}</strong> '
        f'<span style="{_CODE}">{escape(card.name)}</span></div>',
        f'<div style="{_MUTED}">{facts}</div>',
        _render_phases(card),
        _render_metrics(card.metrics),
        *(f'<div style="{_MUTED}">{escape(note)}</div>' for note in card.notes),
        f"<div>{escape(card.failure)}</div>" if card.failure else "",
        f'<div style="{_MUTED}">{escape(_describe_seen(card))}</div>' if card.seen else "",
        f'<div style="{_MUTED};font-style:italic">{escape(card.hint)}</div>' if card.hint else "",
        render_tail(card.tail) if card.tail else "",
    ]
    style = f"{_FONT};border-left:3px solid {colour};padding:2px 0 2px 12px;margin:2px 0;line-height:1.6"
    label = escape(f"Training job {card.name}: {state}", quote=True)
    return f'<div role="group" aria-label="{label}" style="{style}">{"".join(parts)}</div>'


def render_text(card: Card) -> str:
    """The card as plain text, for what shows no HTML."""
    state = "Running" if card.status == "InProgress" else card.status
    facts = [card.machine, render_seconds(card.elapsed_s), render_cost(card)]
    lines = [f"{state} {card.name}", " · ".join(fact for fact in facts if fact), *card.notes, card.failure]
    lines += [_describe_seen(card)] if card.seen else []
    lines += ["".join(span.text for span in line) for line in card.tail]
    return "\n".join(line for line in lines if line)


def render_attach(job_name: str, *, is_local: bool) -> str:
    """The line that shows a job's output again, and assigns its names."""
    return f"%remote attach {job_name}" + ("" if is_local else " --target sagemaker")


def _describe_seen(card: Card) -> str:
    """A card may be looked at long after: what it says of a live job is true of one moment."""
    state = "Running" if card.status == "InProgress" else card.status
    shows = render_attach(card.name, is_local=card.is_local)
    return f"{state} at {card.seen}. To see it now: {shows}"


def render_cost(card: Card) -> str:
    """What the job costs; beside a local one what SageMaker would have charged."""
    charge = describe_charge(card.cost_usd, is_charged=not card.is_local)
    return charge if card.is_local else f"cost {charge}"


def render_seconds(seconds: float) -> str:
    """A time as people read it: ``3.2 s``, ``4 min 05 s``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _render_phases(card: Card) -> str:
    """The phases in their order, each with its time; the one that lasts stands out."""
    shown = [(name, seconds) for name, seconds in card.phases if seconds >= 0.05 or (name, seconds) == card.phases[-1]]
    if not shown:
        return ""
    texts = []
    for position, (name, seconds) in enumerate(shown):
        is_now = card.is_live and position == len(shown) - 1
        text = escape(name if name == card.status else f"{name} {render_seconds(seconds)}")
        texts.append(f"<strong>{text}</strong>" if is_now else text)
    texts = [text for text in texts if text != escape(card.status)]
    return f'<div style="{_MUTED}">{" → ".join(texts)}</div>' if texts else ""


def _render_metrics(metrics: Mapping[str, float]) -> str:
    if not metrics:
        return ""
    texts = [f"{escape(name)} <strong>{value:.6g}</strong>" for name, value in metrics.items()]
    return f"<div>{' · '.join(texts)}</div>"


def render_tail(lines: Sequence[Sequence[Span]]) -> str:
    """Lines of a log, with their colours."""
    text = "\n".join("".join(_render_span(span) for span in line) for line in lines)
    # In reverse, so that its end is in sight, also after the content was replaced.
    around = "display:flex;flex-direction:column-reverse;max-height:24em;overflow:auto;margin:4px 0"
    style = f"{_CODE};margin:0;white-space:pre-wrap;overflow-wrap:anywhere"
    return f'<div role="log" aria-live="off" tabindex="0" style="{around}"><pre style="{style}">{text}</pre></div>'


def _render_span(span: Span) -> str:
    text = escape(span.text, quote=False)
    style = ";".join(filter(None, map(_read_word, span.style.split())))
    return f'<span style="{style}">{text}</span>' if style else text


def _read_word(word: str) -> str:
    """A word of a style as CSS; nothing for one that is unknown."""
    ground, colour = word[:2], word[2:]
    if ground not in ("fg", "bg"):
        return _CSS.get(word, "")
    if colour.isdigit():
        colour = _ANSI[int(colour) % len(_ANSI)]
    return f"{'color' if ground == 'fg' else 'background-color'}:{colour}" if _HEX.fullmatch(colour) else ""
