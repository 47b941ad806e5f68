"""What a job raised is told with what helps to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.jobs.outcome.exceptions import _build_failed, _explain_missing_module, explain_missing_file
from sm_remote.wire.outcome import Frame, OutcomeHeader, RemoteException
from tests.fakes.cli_world import build_answer

DESCRIPTION = parse_description({**build_answer("fit-1", "Failed"), "FailureReason": ""})


def test_a_failure_without_a_note_has_no_empty_line() -> None:
    raised = RemoteException(
        type="builtins.SystemExit", text="0", frames=(Frame(filename="a.py", name="g", lineno=3, line="exit(0)"),)
    )
    header = OutcomeHeader(kind="exception", python="3.11.7", started=1.0, ended=2.0, chain=(raised,))
    assert str(_build_failed(DESCRIPTION, header)).splitlines() == [
        "Training job fit-1 failed: SystemExit: 0",
        "  at a.py:3 in g: exit(0)",
        "See the log: `sm-remote logs fit-1`.",
    ]


@pytest.mark.parametrize(("module", "told"), [("json.nothing", "is installed here"), ("pandsa.core", "not installed")])
def test_a_missing_module_is_looked_for_here_before_advice_is_given(module: str, told: str) -> None:
    error = _explain_missing_module(DESCRIPTION, ModuleNotFoundError(name=module), module)
    assert told in error.why
    assert f"dependencies=['{module.partition('.')[0]}']" in error.fix


def test_the_package_of_a_missing_module_is_named_as_indexes_know_it() -> None:
    error = _explain_missing_module(DESCRIPTION, ModuleNotFoundError(name="yaml"), "yaml")
    assert "@remote(dependencies=['PyYAML'])" in error.fix


def test_a_file_that_stayed_here_is_explained_and_one_that_is_nowhere_is_not(tmp_path: Path) -> None:
    here, nowhere = tmp_path / "rows.csv", tmp_path / "absent.csv"
    here.write_text("")
    errors = [FileNotFoundError(2, "No such file or directory", str(path)) for path in (here, nowhere)]
    for error in errors:
        explain_missing_file(error)
    assert "files do not travel" in errors[0].__notes__[0]
    assert not hasattr(errors[1], "__notes__")
