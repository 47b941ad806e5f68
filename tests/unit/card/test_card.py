"""The card of a job: state, phases, time, cost; inert whatever a job writes."""

from __future__ import annotations

import json
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.card.card import Card, render_card, render_seconds, render_text
from sm_remote.card.state import MetricReader, build_card, mark_output, read_introduction
from sm_remote.jobs.logs.line import reduce_line
from tests.fakes.cli_world import NOW, build_answer

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "ansi.json").read_text(encoding="utf-8"))["cases"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</pre></div><iframe src=javascript:alert(1)>",
    "javascript:alert(1)",
    "\x1b]8;;javascript:alert(1)\x1b\\x\x1b]8;;\x1b\\",
    "a\u202eb",
    "&lt;script&gt;",
    "<" * 50_000,
    *("\n".join(case["lines"]) for case in CASES),
]


class Seen(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        assert not any("url(" in (value or "") or "expression" in (value or "") for _, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_job_writes_is_text(text: str) -> None:
    card = Card(
        name=text,
        status="Failed",
        machine=text,
        phases=[(text, 1.0)],
        metrics={text: 1.0},
        notes=[text],
        hint=text,
        failure=text,
        tail=[reduce_line(line) for line in text.split("\n")],
    )
    seen = Seen()
    seen.feed(render_card(card))
    assert seen.tags <= {"div", "strong", "span", "pre"}
    assert seen.attributes <= {"role", "aria-label", "aria-live", "tabindex", "style"}


def describe(status: str = "Completed", **more: Any) -> Any:
    return parse_description(build_answer("fit-1", status, **more))


def test_a_finished_local_job_costs_nothing_beside_what_sagemaker_would_charge() -> None:
    more = {"ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}, "BillableTimeInSeconds": 3600}
    description = parse_description(build_answer("fit-1") | more)
    assert "no charge (on SageMaker about $0.23 on demand)" in render_text(
        build_card(description, now=NOW, is_local=True)
    )
    assert "cost $0.23" in render_text(build_card(description, now=NOW, is_local=False))


def test_phases_follow_one_another_and_the_last_one_of_a_live_job_lasts() -> None:
    html = render_card(build_card(describe("InProgress", runs_s=12), now=NOW, is_local=True, hint="Interrupt."))
    assert "Starting 1.0 s → Downloading 1.0 s → <strong>Training" in html
    assert "● Running" in html
    assert "Interrupt." in html


def test_a_card_of_a_live_job_says_when_that_was_and_how_to_see_more() -> None:
    for is_local, more in ((True, ""), (False, " --target sagemaker")):
        card = build_card(describe("InProgress", runs_s=12), now=NOW, is_local=is_local)
        said = f"Running at {NOW:%Y-%m-%d %H:%M:%S} UTC. To see it now: %remote attach fit-1{more}"
        assert said in render_card(card)
        assert said in render_text(card)
    assert "To see it now" not in render_card(build_card(describe(), now=NOW, is_local=True))


def test_only_the_output_of_a_live_job_is_marked() -> None:
    live = describe("InProgress", runs_s=12)
    assert mark_output(live, is_local=False) == {"sm_remote": {"job": "fit-1", "target": "sagemaker"}}
    assert mark_output(describe(), is_local=True) == {}


def test_a_job_that_has_ended_has_no_hint_and_says_why_it_failed() -> None:
    reason = {"FailureReason": "AlgorithmError: KeyError: 'x', exit code: 1"}
    failed = parse_description(build_answer("fit-1", "Failed") | reason)
    html = render_card(build_card(failed, now=NOW + timedelta(hours=1), is_local=True, hint="Interrupt."))
    assert "✕ Failed" in html
    assert "<div>KeyError: &#x27;x&#x27;</div>" in html
    assert "Interrupt." not in html


def test_the_last_value_of_each_metric_counts() -> None:
    definitions = [{"Name": "loss", "Regex": "loss=([0-9.]+|nan)"}, {"Name": "n", "Regex": "n=(.*)"}]
    reader = MetricReader({"AlgorithmSpecification": {"MetricDefinitions": definitions}})
    for line in ("loss=0.5 n=one", "loss=0.25", "nothing"):
        reader.read(line)
    assert reader.values == {"loss": 0.25}


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("sm_remote: training job a-1 on this machine (as ml.m5.large: 2 vCPU, 8 GiB). Not isolated.", "Not isolated."),
        ("sm_remote: training job a-1 on Amazon SageMaker as ml.m5.large", ""),
        ("sm_remote: training job a-1 waits for capacity", None),
        ("my own line on this machine", None),
    ],
)
def test_the_first_line_of_a_log_is_the_cards_own(line: str, note: str | None) -> None:
    assert read_introduction(line) == note


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (65, "1 min 05 s"), (7800, "2 h 10 min")]
)
def test_times_are_shown_as_people_read_them(seconds: float, text: str) -> None:
    assert render_seconds(seconds) == text
