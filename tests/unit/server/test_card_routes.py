"""The card that the panel puts into a notebook whose kernel saw no end of the job."""

from __future__ import annotations

from sm_remote.aws.responses import parse_description
from sm_remote.server.card_routes import build_output
from sm_remote.server.log_slices import LogLine

HOSTILE = "</pre><img src=x onerror=alert(1)>\x1b]0;title\x07"


def make_lines(*texts, host=""):
    return [LogLine(time_ms=number, host=host, text=text) for number, text in enumerate(texts)]


def test_a_job_that_has_ended_has_its_state_its_last_lines_and_the_way_to_its_value(answer, moment):
    lines = make_lines(*(f"line {number}" for number in range(40)), "  9%|# |", "100%|##|", HOSTILE)
    output = build_output(parse_description(answer("fit-1")), lines, is_local=False, now=moment)
    html = output["data"]["text/html"]
    assert output["live"] is False
    assert "✓ Completed" in html
    assert "%remote attach fit-1 --target sagemaker" in html
    assert "line 39" in html
    assert "line 3<" not in html
    assert "100%|##|" in html
    assert "  9%|" not in html
    assert "<img" not in html
    assert "title" not in html.partition("<pre")[2]
    assert output["data"]["text/plain"].startswith("Completed fit-1")


def test_metrics_and_hosts_are_told(answer, moment):
    definitions = {"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]}}
    description = parse_description(answer("fit-1", "Failed") | definitions)
    output = build_output(description, make_lines("loss=0.5", "loss=0.25", host="algo-2"), is_local=True, now=moment)
    assert "loss <strong>0.25" in output["data"]["text/html"]
    assert "[algo-2] loss=0.25" in output["data"]["text/plain"]


def test_a_job_that_has_not_ended_is_told_as_such(answer, moment):
    output = build_output(parse_description(answer("fit-1", "InProgress")), [], is_local=True, now=moment)
    assert output["live"] is True
    assert "To see it now" in output["data"]["text/html"]
