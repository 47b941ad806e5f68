"""A progress bar is seen while it runs, though logs are passed on line by line."""

from __future__ import annotations

import os

import pytest

from sm_remote.jobs.logs.line import LogTail
from sm_remote.runtime.streams import WatchedOutput


@pytest.fixture
def pipe():
    """Both ends: (a function that reads what was written, the end to write to)."""
    reading, writing = os.pipe()
    yield lambda: os.read(reading, 1 << 16), writing
    os.close(reading)
    os.close(writing)


class Clock:
    """Stands still until it is set."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def draw(percent: int) -> bytes:
    return b"\rtraining: %3d%%|##        | %d/100 [00:01<00:02]" % (percent, percent)


def test_a_bar_is_ended_now_and_then_and_is_one_line_to_who_looks(pipe):
    read, fd = pipe
    clock = Clock()
    output = WatchedOutput(fd, clock=clock)
    for percent in range(101):
        output.write(draw(percent))
        clock.now_s += 0.1
    output.write(b"\n")
    output.write(b"done\n")
    text = read()
    assert 15 < text.count(b"\n") < 30
    assert b"\n\n" not in text
    tail = LogTail()
    tail.extend(text.decode().split("\n")[:-1])
    shown = ["".join(span.text for span in line) for line in tail.lines()]
    assert [line.split("|")[0] for line in shown] == ["training: 100%", "done"]


def test_the_longer_it_runs_the_seldomer(pipe):
    read, fd = pipe
    clock = Clock()
    output = WatchedOutput(fd, clock=clock)
    ends = 0
    for number in range(20_000):
        output.write(draw(number // 200))
        clock.now_s += 1
        if number % 100 == 0:
            ends += read().count(b"\n")
    assert 1_500 < ends < 3_000


def test_a_bar_without_a_total_is_ended_now_and_then_too(pipe):
    read, fd = pipe
    clock = Clock()
    output = WatchedOutput(fd, clock=clock)
    for second in range(60):
        output.write(b"\rrows: %dit [00:%02d, 7.00it/s]" % (second * 7, second))
        clock.now_s += 1
    text = read()
    assert 30 < text.count(b"\n") <= 60
    tail = LogTail()
    tail.extend(text.decode().split("\n")[:-1])
    assert [[span.text for span in line] for line in tail.lines()] == [["rows: 413it [00:59, 7.00it/s]"]]


@pytest.mark.parametrize(
    "piece", [b"\rDownloading 5 MB", b"50%| no bar of its own", b"\r 50%|##| 1/2\n", b"a\n", b"\n"]
)
def test_other_pieces_stay_as_they_are(pipe, piece):
    read, fd = pipe
    output = WatchedOutput(fd, clock=Clock())
    assert output.write(piece) == len(piece)
    assert read() == piece
    assert output.unfinished == (not piece.endswith(b"\n"))


def test_a_print_after_a_bar_has_a_line_of_its_own(pipe):
    read, fd = pipe
    output = WatchedOutput(fd, clock=Clock())
    assert output.write(memoryview(draw(5))) == len(draw(5))
    assert not output.unfinished
    output.write(b"epoch 1\n\n")
    assert read() == draw(5) + b"\nepoch 1\n\n"
