"""A traceback is seen once: in the log, or where the exception is raised."""

from __future__ import annotations

import pytest

from sm_remote.jobs.calls.foreground import Audience
from sm_remote.wire.marker import DisplayMark

RAISED, TOLD = DisplayMark(kind="raised"), DisplayMark(kind="told")


@pytest.fixture
def audience():
    return Audience("each")


def test_what_is_raised_here_is_not_told_of_the_log_too(audience, capsys):
    for entry in ("before", RAISED, "Traceback", "ValueError: x", TOLD):
        audience.take(entry)
    audience.drop_traceback()
    audience.show("sm_remote: spot has saved 70 %")
    audience.close()
    assert capsys.readouterr().out == "before\nsm_remote: spot has saved 70 %\n"


def test_what_nothing_else_shows_is_told_in_the_end(audience, capsys):
    for entry in (RAISED, "ValueError: x"):
        audience.take(entry)
    audience.close()
    assert capsys.readouterr().out == "ValueError: x\n"


def test_of_two_attempts_the_first_ones_traceback_stands_where_it_was(audience, capsys):
    for entry in (RAISED, "first", TOLD, "again", RAISED, "second", TOLD):
        audience.take(entry)
    audience.drop_traceback()
    audience.close()
    assert capsys.readouterr().out == "first\nagain\n"


def test_lines_of_other_hosts_are_shown_meanwhile(audience, capsys):
    raised = DisplayMark(kind="raised", text="[algo-1] ")
    for entry in (raised, "[algo-1] ValueError", "[algo-2] step 7", TOLD, "[algo-2] step 8"):
        audience.take(entry)
    audience.drop_traceback()
    audience.close()
    assert capsys.readouterr().out == "[algo-2] step 7\n[algo-2] step 8\n"
