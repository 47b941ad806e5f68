"""Every change has a number, and a browser gets what came after its own."""

from __future__ import annotations

from sm_remote.server.problems import Problem
from sm_remote.server.table import JobTable


def test_the_first_answer_is_whole_and_the_next_only_what_changed(row):
    table = JobTable()
    assert table.put([row("a"), row("b", created_ms=2000)])
    first = table.since(0)
    assert (first.whole, [each.name for each in first.rows]) == (True, ["b", "a"])
    assert not table.put([row("a")])
    assert table.since(first.seq).rows == ()
    table.put([row("a", status="Completed")])
    later = table.since(first.seq)
    assert (later.whole, [each.status for each in later.rows]) == (False, ["Completed"])


def test_a_job_that_is_gone_makes_the_answer_whole_again(row):
    table = JobTable()
    table.put([row("a"), row("b")])
    seq = table.since(0).seq
    assert table.keep_only(["a"])
    assert not table.keep_only(["a"])
    assert [each.name for each in table.since(seq).rows] == ["a"]
    assert table.since(seq).whole


def test_a_number_of_another_server_is_answered_with_everything(row):
    table = JobTable()
    table.put([row("a")])
    assert table.since(999).whole


def test_a_problem_is_news_once_and_its_end_too(row):
    table, problem = JobTable(), Problem(code="offline", what="AWS cannot be reached.")
    assert table.note(as_of_ms=1)
    assert not table.note(as_of_ms=2)
    assert table.note(problem=problem)
    assert not table.note(problem=problem)
    assert (table.since(0).problem, table.since(0).as_of_ms) == (problem, 2)
    assert table.note(as_of_ms=3)
    assert table.since(0).problem is None
