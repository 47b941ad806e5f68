"""A job's lines on stdout: a progress bar is one line wherever that can be."""

from __future__ import annotations

import pytest

from sm_remote.jobs.calls.foreground import Audience
from sm_remote.jobs.logs.text_output import TextOutput
from sm_remote.wire.marker import DisplayMark

LINES = [
    "before",
    "\rfit:   0%|  | 0/2",
    "\rfit:  50%|# | 1/2 [loss=0.25]",
    "\rfit: 100%|##| 2/2",
    "after",
    "\r3it [00:01, 3it/s]",
]


@pytest.mark.parametrize(
    ("bars", "seen"),
    [
        (
            "redrawn",
            "before\nfit:   0%|  | 0/2\rfit:  50%|# | 1/2 [loss=0.25]\rfit: 100%|##| 2/2"
            + " " * 12
            + "\nafter\n3it [00:01, 3it/s]\n",
        ),
        ("last", "before\nfit: 100%|##| 2/2\nafter\n3it [00:01, 3it/s]\n"),
        ("each", "".join(line + "\n" for line in LINES)),
    ],
)
def test_a_bar_is_one_line_where_it_can_be_redrawn_or_nobody_looks(bars, seen, capsys):
    output = TextOutput(bars)
    for line in LINES:
        output.write(line)
    output.end()
    assert capsys.readouterr().out == seen


def test_what_is_displayed_after_a_bar_has_a_line_of_its_own(capsys):
    audience = Audience("redrawn")
    audience.take(" 50%|# | 1/2")
    audience.take(DisplayMark(kind="show", number=0, text="frame"))
    audience.take("100%|##| 2/2")
    audience.close()
    assert capsys.readouterr().out == " 50%|# | 1/2\nframe\n100%|##| 2/2\n"


def test_two_bars_are_two_lines(capsys):
    output = TextOutput("last")
    for line in ("a: 50%|# |", "b: 10%|  |", "b: 90%|##|"):
        output.write(line)
    output.end()
    assert capsys.readouterr().out == "a: 50%|# |\nb: 90%|##|\n"
