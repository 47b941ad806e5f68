"""A log in slices: each says where the next begins, and a cursor names streams of its own job alone."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.aws.training_jobs import LogPage
from sm_remote.errors import ConfigError
from sm_remote.server.log_slices import LONGEST_LINE, read_after, read_before, read_newest
from tests.fakes.cli_world import build_answer


class LoggedJob:
    """An API with one job and its streams; a token is the number of the next line."""

    def __init__(self, streams, *, status="InProgress", holds=True):
        self.streams, self.status = streams, status
        self.session = SimpleNamespace(holds_requests=holds)

    def describe(self, name, *, wait_s=0.0, seen=0):
        return parse_description(build_answer(name, self.status))

    def list_log_streams(self, name):
        return sorted(self.streams)

    def read_log(self, stream, *, token=None, from_head=True, limit=10, wait_s=0.0):
        lines = self.streams[stream]
        kind, _, number = (token or "").partition("/")
        if kind == "b":
            start, end = max(0, int(number) - limit), int(number)
        elif kind == "f" or from_head:
            start = int(number or 0)
            end = min(len(lines), start + limit)
        else:
            start, end = max(0, len(lines) - limit), len(lines)
        closed = self.status != "InProgress" and end == len(lines)
        return LogPage(
            lines=lines[start:end],
            times_ms=list(range(start, end)),
            forward=f"f/{end}",
            backward=f"b/{start}",
            closed=closed,
        )


def texts(piece):
    return [line.text for line in piece.lines]


def test_the_newest_lines_come_first_and_older_ones_when_asked_for():
    api = LoggedJob({"fit/algo-1-1": [f"line {n}" for n in range(10)]})
    newest = read_newest(api, "fit", limit=4)
    assert texts(newest) == ["line 6", "line 7", "line 8", "line 9"]
    assert newest.before is not None
    older = read_before(api, "fit", newest.before)
    assert texts(older) == [f"line {n}" for n in range(6)]
    assert not texts(read_before(api, "fit", older.before)) if older.before else True


def test_what_is_written_later_comes_after_the_cursor_once():
    lines = ["a", "b"]
    api = LoggedJob({"fit/algo-1-1": lines})
    first = read_newest(api, "fit")
    assert texts(read_after(api, "fit", first.after)) == []
    lines.append("c")
    second = read_after(api, "fit", first.after)
    assert texts(second) == ["c"]
    assert texts(read_after(api, "fit", second.after)) == []


def test_a_short_log_has_nothing_before_it():
    assert read_newest(LoggedJob({"fit/algo-1-1": ["a"]}), "fit").before is None


def test_a_log_has_ended_when_its_job_has_and_its_last_line_is_out():
    api = LoggedJob({"fit/algo-1-1": ["a"]})
    assert not read_newest(api, "fit").ended
    api.status = "Completed"
    assert read_newest(api, "fit").ended


def test_cloudwatch_does_not_say_so_and_a_look_without_news_counts():
    api = LoggedJob({"fit/algo-1-1": ["a"]}, status="Completed", holds=False)
    first = read_newest(api, "fit")
    assert not first.ended
    assert read_after(api, "fit", first.after).ended


def test_a_job_without_a_stream_has_no_lines_and_a_cursor_that_works_later():
    api = LoggedJob({})
    first = read_after(api, "fit", read_newest(api, "fit").after, wait_s=0.0)
    api.streams["fit/algo-1-1"] = ["a"]
    assert texts(read_after(api, "fit", first.after)) == ["a"]


def test_several_hosts_are_named_and_put_in_order_of_time():
    api = LoggedJob({"fit/algo-1-1": ["a", "b"], "fit/algo-2-1": ["c"]})
    assert [(line.host, line.text) for line in read_newest(api, "fit").lines] == [
        ("algo-1", "a"),
        ("algo-2", "c"),
        ("algo-1", "b"),
    ]


def test_a_line_that_is_too_long_is_cut_and_says_so():
    api = LoggedJob({"fit/algo-1-1": ["x" * (10 << 20)]})
    (line,) = read_newest(api, "fit").lines
    assert len(line.text) < LONGEST_LINE + 100
    assert "more characters" in line.text


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "é",
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(b"\xff").decode(),
        base64.urlsafe_b64encode(json.dumps({"other/algo-1-1": "f/0"}).encode()).decode(),
        base64.urlsafe_b64encode(json.dumps({"fit/algo-1-1": 3}).encode()).decode(),
        base64.urlsafe_b64encode(json.dumps({f"fit/{n}": "" for n in range(300)}).encode()).decode(),
    ],
)
def test_a_cursor_that_is_none_of_this_jobs_is_refused(cursor):
    with pytest.raises(ConfigError, match="none of this job's"):
        read_after(LoggedJob({}), "fit", cursor)
