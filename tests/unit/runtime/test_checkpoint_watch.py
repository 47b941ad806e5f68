"""What an interruption would cost is said once, when it has become much."""

from __future__ import annotations

import os

import pytest

from sm_remote.runtime.checkpoint_watch import CheckpointWatch, find_newest_time, parse_limits


def look(watch, *moments):
    return [watch.look(newest, now) for newest, now in moments]


def test_no_checkpoint_by_the_limit_is_said_once():
    watch = CheckpointWatch(100, 300, started_at=1000)
    said = look(watch, (None, 1050), (None, 1100), (None, 1200))
    assert [text is not None for text in said] == [False, True, False]
    assert "no checkpoint yet after 100 s on spot capacity" in said[1]


def test_an_old_one_is_said_once():
    watch = CheckpointWatch(100, 300, started_at=1000)
    said = look(watch, (1050, 1200), (1050, 1350), (1050, 1700), (1700, 2000), (1700, 2100))
    assert [text is not None for text in said] == [False, True, False, False, False]
    assert "5 min old" in said[1]
    assert watch.is_done


def test_a_checkpoint_of_an_earlier_attempt_ages_from_this_ones_start():
    watch = CheckpointWatch(100, 300, started_at=10_000)
    assert watch.look(50, 10_299) is None
    assert watch.look(50, 10_300) is not None


@pytest.mark.parametrize(("text", "limits"), [("", None), ("5", None), ("a,b", None), ("150,1800", (150.0, 1800.0))])
def test_limits_are_read_from_the_request(text, limits):
    assert parse_limits(text) == limits


def test_uploaded_files_count_where_the_platform_marks_them(tmp_path):
    def write(name, at):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        os.utime(path, (at, at))

    assert find_newest_time(str(tmp_path / "nowhere")) is None
    write("a/model", 100)
    write("b/model", 200)
    write("b/temporary.sagemaker-ignore", 900)
    assert find_newest_time(str(tmp_path)) == 200
    write("a/model.sagemaker-uploaded", 300)
    assert find_newest_time(str(tmp_path)) == 100
