"""The query protocol by the model's shapes."""

from __future__ import annotations

import pytest

from sm_remote.service.api.errors import ApiError
from sm_remote.service.api.model import find_input_shape, load_model
from sm_remote.service.api.query_protocol import parse_form, render_answer

STATISTICS = find_input_shape("cloudwatch", "GetMetricStatistics")


def test_a_form_becomes_what_its_json_would_be():
    form = {
        "Action": "GetMetricStatistics",
        "MetricName": "loss",
        "Dimensions.member.1.Name": "Host",
        "Dimensions.member.1.Value": "a.b/c",
        "Statistics.member.2": "Sum",
        "Statistics.member.10": "Maximum",
        "Statistics.member.1": "Average",
        "ExtendedStatistics": "",
        "Period": "60",
        "StartTime": "1970-01-01T00:01:00.5Z",
        "Unknown.member.1": "x",
    }
    assert parse_form(STATISTICS, form) == {
        "MetricName": "loss",
        "Dimensions": [{"Name": "Host", "Value": "a.b/c"}],
        "Statistics": ["Average", "Sum", "Maximum"],
        "ExtendedStatistics": [],
        "Period": 60,
        "StartTime": 60.5,
    }


@pytest.mark.parametrize(
    "form",
    [
        {"Period": "x"},
        {"Period.a": "1"},
        {"StartTime": "soon"},
        {"Dimensions": "x"},
        {"Dimensions.member.x": "y"},
        {"Dimensions.member.1": "y"},
        {"MetricName": "a", "MetricName.b": "c"},
        {"Statistics.member.²": "Sum"},
        {".".join("Statistics" for _ in range(50_000)): "x"},
    ],
)
def test_a_form_that_cannot_be_read_is_refused(form):
    with pytest.raises(ApiError) as caught:
        parse_form(STATISTICS, form)
    assert caught.value.code == "MalformedInput"


def test_an_answer_is_xml_without_a_word_that_could_be_markup():
    shape = load_model("cloudwatch").operation_model("GetMetricStatistics").output_shape
    body = {"Label": "<a&b>", "Datapoints": [{"Timestamp": 60.0, "Sum": 1.5, "ExtendedStatistics": {"p50": 2.0}}]}
    text = render_answer("GetMetricStatistics", shape, body, request_id="r")
    assert "<Label>&lt;a&amp;b&gt;</Label>" in text
    assert "<Timestamp>1970-01-01T00:01:00Z</Timestamp><Sum>1.5</Sum>" in text
    assert "<entry><key>p50</key><value>2.0</value></entry>" in text
    assert text.startswith('<GetMetricStatisticsResponse xmlns="http://monitoring')
