"""Metrics out of log lines."""

from __future__ import annotations

import pytest

from sm_remote.service.metrics.definitions import MetricReader, find_bad_regex, open_metrics
from sm_remote.service.metrics.series import Datapoint, read_series


def read(regex: str, *lines: bytes):
    reader = MetricReader([("m", regex)])
    for number, line in enumerate(lines):
        reader.feed(1000 * number, line)
    return [(metric.value, metric.timestamp) for metric in reader.final()]


def test_the_last_value_counts():
    assert read("loss=([0-9.]+)", b"loss=3.5", b"nothing", b"loss=2.25") == [(2.25, 2.0)]


def test_of_several_on_one_line_the_last_counts():
    assert read("a=([0-9]+)", b"a=1 a=2") == [(2.0, 0.0)]


def test_a_tab_is_seen_as_the_log_service_shows_it():
    assert read(".*#011validation-rmse:([-+]?[0-9.]+)", b"[5]\tvalidation-rmse:0.25") == [(0.25, 0.0)]


@pytest.mark.parametrize("text", [b"nan", b"inf", b"-inf", b"abc", b""])
def test_what_is_no_finite_number_is_passed_over(text):
    assert read("v=(.*)", b"v=1", b"v=" + text) == [(1.0, 0.0)]


def test_a_group_that_did_not_take_part_is_passed_over():
    assert read("v=(1)?", b"v=") == []


def test_bytes_that_are_no_text_do_no_harm():
    assert read("v=([0-9])", b"\xff\xfe v=1") == [(1.0, 0.0)]


@pytest.mark.parametrize(("regex", "why"), [("(", "not valid"), ("loss", "no group")])
def test_an_expression_that_cannot_work_is_found(regex, why):
    assert why in (find_bad_regex([("m", regex)]) or "")


def test_two_expressions_of_one_name_are_one_metric():
    reader = MetricReader([("loss", "a=(.)"), ("loss", "b=(.)"), ("acc", "c=(.)")])
    for number, line in enumerate((b"b=1", b"a=2", b"c=3")):
        reader.feed(number, line)
    assert [(metric.name, metric.value) for metric in reader.final()] == [("loss", 2.0), ("acc", 3.0)]


def test_every_value_is_a_datapoint_of_its_definition(tmp_path):
    request = {"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "m", "Regex": "m=([^ ]+)"}]}}
    log = tmp_path / "algo-1-1.log"
    reader = open_metrics(request, log)
    reader.feed(7, b"m=1 m=x m=2.5")
    reader.close()
    reader.feed(8, b"m=3")
    assert list(read_series(tmp_path / "algo-1-1.points")) == [Datapoint(0, 7, 1.0), Datapoint(0, 7, 2.5)]


def test_a_job_without_definitions_has_no_series(tmp_path):
    open_metrics({"AlgorithmSpecification": {}}, tmp_path / "algo-1-1.log").close()
    assert list(tmp_path.iterdir()) == []
