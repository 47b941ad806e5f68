"""What may be said of a request beyond all settings: anything but what the job's integrity rests on."""

from __future__ import annotations

import pytest

from sm_remote.errors import ConfigError
from sm_remote.settings.extra_request import KEPT
from sm_remote.settings.schema import check_value


def nest(path, value):
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize("path", KEPT)
@pytest.mark.parametrize("value", ["x", None, ["x"], {"S3Uri": "s3://b/k"}])
def test_what_the_job_rests_on_can_neither_be_set_nor_taken_away(path, value):
    with pytest.raises(ConfigError) as caught:
        check_value("extra_request", nest(path, value), origin="argument")
    assert caught.value.why == f"{path} cannot be set there: {KEPT[path]}."


@pytest.mark.parametrize("path", [path for path in KEPT if "." in path])
@pytest.mark.parametrize("value", [None, "x", []])
def test_nor_together_with_what_holds_it(path, value):
    with pytest.raises(ConfigError, match="cannot be set there"):
        check_value("extra_request", {path.partition(".")[0]: value}, origin="argument")


@pytest.mark.parametrize("name", ["sm_remote", "sm_remote_layer"])
def test_the_channels_of_the_function_are_its_own(name):
    with pytest.raises(ConfigError, match="integrity"):
        check_value("extra_request", {"InputDataConfig": [{"ChannelName": name}]}, origin="argument")


@pytest.mark.parametrize("channels", [None, {}, ["x"], [{"InputMode": "Pipe"}]])
def test_channels_without_names_are_refused(channels):
    with pytest.raises(ConfigError, match="ChannelName"):
        check_value("extra_request", {"InputDataConfig": channels}, origin="argument")


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"AlgorithmSpecification": {"EnableSageMakerMetricsTimeSeries": True}},
        {"OutputDataConfig": {"KmsKeyId": None}},
        {"InputDataConfig": [{"ChannelName": "train", "InputMode": "FastFile"}]},
        {"ResourceConfig": {"InstanceType": None, "InstancePreferences": [{"InstanceType": "ml.m5.large"}]}},
    ],
)
def test_all_else_is_taken_as_it_is(extra):
    assert check_value("extra_request", extra, origin="argument") == extra
