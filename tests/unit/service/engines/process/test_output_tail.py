from __future__ import annotations

import os

import pytest

from sm_remote.service.engines.process.output_tail import MAX_LINE_BYTES, tail_lines


class Script:
    """A process that writes one piece at each look, then ends."""

    def __init__(self, path, *pieces: bytes) -> None:
        self.path, self.pieces, self.looks = path, list(pieces), 0
        self.path.touch()

    def has_ended(self) -> bool:
        self.looks += 1
        if not self.pieces:
            return True
        with self.path.open("ab") as file:
            file.write(self.pieces.pop(0))
        return False

    def lines(self) -> list[bytes]:
        return [line for _, line in tail_lines(self.path, self.has_ended, sleep=lambda _: None)]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((), []),
        ((b"one\ntwo\n",), [b"one", b"two"]),
        ((b"on", b"e\ntw", b"o"), [b"one", b"two"]),
        ((b"\n\n",), [b"", b""]),
        ((b"a\r50%\r100%\n", b"\xff\x00\n"), [b"a\r50%\r100%", b"\xff\x00"]),
        ((b"x" * (2 * MAX_LINE_BYTES + 1) + b"\ny\n",), [b"x" * MAX_LINE_BYTES] * 2 + [b"x", b"y"]),
    ],
)
def test_lines_are_whole_however_they_were_written(tmp_path, pieces, expected):
    assert Script(tmp_path / "output", *pieces).lines() == expected


def test_what_is_written_between_the_last_look_and_the_end_is_not_lost(tmp_path):
    path = tmp_path / "output"
    path.touch()

    def write_and_end() -> bool:
        path.write_bytes(b"last words\n")
        return True

    assert [line for _, line in tail_lines(path, write_and_end)] == [b"last words"]


def test_lines_that_were_there_before_bear_the_time_of_the_files_last_change(tmp_path):
    path = tmp_path / "output"
    path.write_bytes(b"old\n")
    os.utime(path, (1000, 1000.5))
    new = iter([b"new\n"])

    def write_once() -> bool:
        piece = next(new, None)
        if piece is None:
            return True
        with path.open("ab") as file:
            file.write(piece)
        return False

    found = list(tail_lines(path, write_once, clock=lambda: 2000.25, sleep=lambda _: None))
    assert found == [(1_000_500, b"old"), (2_000_250, b"new")]


def test_looks_are_frequent_while_there_is_output_and_rarer_later(tmp_path):
    path = tmp_path / "output"
    path.touch()
    now = 0.0
    pauses: list[float] = []

    def sleep(pause: float) -> None:
        nonlocal now
        now += pause
        pauses.append(pause)

    list(tail_lines(path, lambda: now > 60, monotonic=lambda: now, sleep=sleep))
    assert pauses[0] <= 0.005
    assert max(pauses[:200]) <= 0.01
    assert pauses[-1] == 0.025
