"""The line of a magic, read."""

from __future__ import annotations

from typing import Any

import pytest

from sm_remote.errors import ConfigError
from sm_remote.notebook.flags import Flags, list_flags, parse_flags
from sm_remote.settings import describe_settings


def parse(line: str, **names: Any) -> Flags:
    return parse_flags(line, names, magic="%%remote")


def test_every_setting_is_a_flag_with_dashes() -> None:
    assert {one.name.replace("_", "-") for one in describe_settings()} <= set(list_flags())


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("--instance-type ml.m5.xlarge", {"instance_type": "ml.m5.xlarge"}),
        ("--instance-type=ml.m5.xlarge", {"instance_type": "ml.m5.xlarge"}),
        ("--image python:3.11", {"image_uri": "python:3.11"}),
        ("--spot", {"use_spot_instances": True}),
        ("--spot --target sagemaker", {"use_spot_instances": True, "target": "sagemaker"}),
        ("--no-preflight", {"preflight": False}),
        ("--preflight false", {"preflight": False}),
        ("--preflight=yes", {"preflight": True}),
        ("--max-runtime-in-seconds 60", {"max_runtime_in_seconds": 60}),
        ("--dependencies none", {"dependencies": None}),
        ("""--dependencies '["pandas>=2"]'""", {"dependencies": ("pandas>=2",)}),
        ("""--environment-variables '{"A": "1 2"}'""", {"environment_variables": {"A": "1 2"}}),
        ("--stream-logs # a comment", {"stream_logs": True}),
    ],
)
def test_settings_are_read_as_their_kinds_are(line: str, settings: dict[str, Any]) -> None:
    assert parse(line).settings == settings


def test_a_name_of_the_notebook_may_stand_for_a_value() -> None:
    assert parse("--tags $mine", mine={"team": "x"}).settings == {"tags": {"team": "x"}}


def test_flags_of_a_cell() -> None:
    found = parse("--in a,b --out c --detach --yes --dry-run words")
    assert (found.sends, found.wants, found.words) == (("a", "b"), ("c",), ("words",))
    assert (found.detach, found.yes, found.dry_run) == (True, True, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--instance_typ x", "Did you mean --instance-type?"),
        ("--imag x", "Did you mean --image?"),
        ("--detch", "Did you mean --detach?"),
        ("--no-target", "no flag --no-target"),
        ("--target", "has no value"),
        ("--target --spot", "has no value"),
        ("--in", "names nothing"),
        ("--in a-b", "'a-b' is no name"),
        ("--yes=1", "takes no value"),
        ("--role 'unclosed", "quotation mark"),
        ("--tags $absent", "no 'absent'"),
        ("--max-runtime-in-seconds many", "cannot be 'many'"),
        ("--instance-count 0", "instance_count"),
    ],
)
def test_a_wrong_line_is_refused_with_what_to_write(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(line)
    assert said in str(caught.value)


def test_what_the_sdk_has_and_we_refuse_is_refused_with_its_reason() -> None:
    with pytest.raises(ConfigError, match=r"spark_config.*refused") as caught:
        parse_flags("--spark-config x", {}, magic="%%remote")
    assert "Spark images" in caught.value.why
