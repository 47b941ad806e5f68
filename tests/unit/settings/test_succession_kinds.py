"""Several instance types, and errors after which a job is tried again, are read from every source and checked."""

from __future__ import annotations

import pytest

from sm_remote.errors import ConfigError, JobStopped, OutOfMemory, SubmitError
from sm_remote.notebook.flags import parse_flags
from sm_remote.settings import resolve_settings
from sm_remote.settings.json_schema import build_json_schemas
from sm_remote.settings.trust import list_guarded


@pytest.fixture
def resolve(tmp_path):
    def run(notebook=None, environ=None, **arguments):
        env = {"HOME": str(tmp_path), **(environ or {})}
        return resolve_settings(arguments, environ=env, cwd=tmp_path, notebook=notebook or {})

    return run


TWO = ("ml.g6.xlarge", "ml.g5.xlarge")


@pytest.mark.parametrize("value", [list(TWO), TWO, "ml.g6.xlarge,ml.g5.xlarge", " ml.g6.xlarge , ml.g5.xlarge"])
def test_types_are_named_by_a_list_or_a_text(resolve, value):
    for settings in (
        resolve(instance_type=value),
        resolve(notebook={"instance_type": value}),
        resolve(environ={"SM_REMOTE_INSTANCE_TYPE": ",".join(TWO)}),
    ):
        assert (settings.instance_type, settings.further_instance_types) == (TWO[0], TWO[1:])
        assert settings.value("instance_type") == "ml.g6.xlarge,ml.g5.xlarge"


def test_types_stand_in_a_file_and_on_the_line_of_a_cell(resolve, tmp_path):
    table = 'instance_type = ["ml.g6.xlarge", "ml.g5.xlarge"]\nretry_on = ["OutOfMemory"]\n'
    (tmp_path / "pyproject.toml").write_text(f"[tool.sm_remote]\n{table}")
    settings = resolve()
    assert settings.further_instance_types == TWO[1:]
    assert settings.retry_on == ("OutOfMemory",)
    line = "--instance-type ml.m5.large,ml.m5.xlarge --retry-on OutOfMemory,torch.cuda.OutOfMemoryError"
    flags = parse_flags(line, {}, magic="%%remote")
    settings = resolve(**flags.settings)
    assert (settings.instance_type, settings.further_instance_types) == ("ml.m5.large", ("ml.m5.xlarge",))
    assert settings.retry_on == ("OutOfMemory", "torch.cuda.OutOfMemoryError")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (["ml.g6.xlarge", "ml.g6.xlarge"], "twice"),
        ("ml.g6.xlarge,ml.g6.xlargo", "no instance type 'ml.g6.xlargo'"),
        ("ml.g6.xlarge,", "empty"),
        ([], "empty"),
        (["local", "ml.g6.xlarge"], "whole of this machine"),
        (["ml.g6.xlarge", 3], "int"),
        ([f"ml.m5.{number}xlarge" for number in range(9)], "9 types"),
    ],
)
def test_types_that_cannot_be_tried_are_refused(resolve, value, reason):
    with pytest.raises(ConfigError, match=reason):
        resolve(instance_type=value)


class OwnError(Exception):
    """An error of the user's."""


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (OutOfMemory, ("OutOfMemory",)),
        ("OutOfMemory", ("OutOfMemory",)),
        ((OutOfMemory, ConnectionError), ("OutOfMemory", "ConnectionError")),
        ("OutOfMemory, ConnectionError", ("OutOfMemory", "ConnectionError")),
        (["torch.cuda.OutOfMemoryError"], ("torch.cuda.OutOfMemoryError",)),
        (OwnError, (f"{OwnError.__module__}.OwnError",)),
        (Exception, ("Exception",)),
        ((), ()),
        ("", ()),
    ],
)
def test_errors_are_classes_or_their_names(resolve, value, names):
    assert resolve(retry_on=value).retry_on == names


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("OutOfMemry", "give its module too"),
        (3, "int"),
        ([3], "no class of errors"),
        ("torch..Error", "no name of a class"),
        (KeyboardInterrupt, "no error"),
        (int, "no class of errors"),
        (JobStopped, "not tried again"),
        (SubmitError, "nothing that a job ends with"),
    ],
)
def test_what_is_no_error_of_a_job_is_refused(resolve, value, reason):
    with pytest.raises(ConfigError, match=reason):
        resolve(retry_on=value)


def test_a_notebook_is_asked_about_where_any_of_its_types_is_larger():
    asked = {"instance_type": "ml.m5.large,ml.m5.xlarge"}
    assert list_guarded(asked, usual_instance_type="ml.m5.large") == asked
    assert list_guarded({"instance_type": "ml.m5.large"}, usual_instance_type="ml.m5.large") == {}


def test_a_form_takes_types_as_a_text():
    schemas = build_json_schemas()
    assert schemas["instance_type"]["type"] == ["string", "null"]
    assert "string" in schemas["retry_on"]["type"]
