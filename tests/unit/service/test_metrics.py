"""Metrics out of log lines."""

from __future__ import annotations

import pytest

from sm_remote.service.metrics import MetricReader, find_bad_regex


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
