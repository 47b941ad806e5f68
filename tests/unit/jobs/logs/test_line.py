"""Lines of a log as they are shown: the cases that the panel's tests read too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sm_remote.jobs.logs.line import LogTail, fold_bar

CASES = json.loads((Path(__file__).parents[3] / "vectors" / "ansi.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_lines_are_shown_as_the_panel_shows_them(case: dict[str, Any]) -> None:
    tail = LogTail()
    tail.extend(case["lines"])
    assert [[list(span) for span in line] for line in tail.lines()] == case["shown"]


def test_only_the_newest_lines_are_kept() -> None:
    tail = LogTail(most=3)
    tail.extend(f"line {number}" for number in range(10))
    assert [line[0].text for line in tail.lines()] == ["line 7", "line 8", "line 9"]
    assert [line[0].text for line in tail.lines(1)] == ["line 9"]
    assert tail.lines(0) == []
    assert tail.count == 10


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\rfit:   4%|4 \rfit:   9%|9   ", "fit:   9%|9"),
        ("\r  5%|#|\r", "  5%|#|"),
        (" 50%|##|  ", " 50%|##|"),
        ("5 MB\r10 MB", "5 MB\r10 MB"),
        ("", ""),
    ],
)
def test_a_bar_that_drew_itself_over_is_its_last_state(line: str, shown: str) -> None:
    assert fold_bar(line) == shown
