"""The panel's log stream goes on where it was, whatever the account's other programs do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sm_remote.errors import CredentialsExpired, Throttled
from sm_remote.server.log_routes import SETTLED_LOOKS, follow_slices
from sm_remote.server.log_slices import LogSlice

SLICE = LogSlice(lines=[], after="", before=None, ended=False, status="InProgress")


class Log:
    """Slices that are read one after the other, and errors between them."""

    def __init__(self, *pieces: LogSlice | Exception) -> None:
        self.pieces = list(pieces)
        self.cursors: list[str] = []
        self.pauses: list[float] = []

    async def read(self, after: str) -> LogSlice:
        self.cursors.append(after)
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)

    def follow(self, *, holds: bool = False) -> list[tuple[str, bool]]:
        async def run() -> list[tuple[str, bool]]:
            found = follow_slices(self.read, "start", holds=holds, sleep=self.sleep)
            return [(piece.after, is_last) async for piece, is_last in found]

        return asyncio.run(run())


def test_throttling_is_waited_out_and_the_cursor_is_kept() -> None:
    slow = Throttled("The API asked to slow down.")
    log = Log(slow, replace(SLICE, after="a"), slow, slow, replace(SLICE, after="b", ended=True))
    assert log.follow(holds=True) == [("a", False), ("b", True)]
    assert log.cursors == ["start", "start", "a", "a", "a"]
    assert len(log.pauses) == 3


def test_a_stream_that_nobody_reads_ends_although_it_is_throttled() -> None:
    log = Log(*[Throttled("The API asked to slow down.")] * 9)

    async def run() -> None:
        gone = follow_slices(log.read, "", holds=False, is_gone=lambda: len(log.pauses) == 3, sleep=log.sleep)
        assert [piece async for piece in gone] == []

    asyncio.run(run())
    assert len(log.cursors) == 3


def test_where_nobody_says_that_a_log_has_ended_it_is_looked_at_some_more() -> None:
    log = Log(*[replace(SLICE, ended=True)] * SETTLED_LOOKS)
    assert [is_last for _, is_last in log.follow()] == [False] * (SETTLED_LOOKS - 1) + [True]


def test_another_trouble_is_the_callers() -> None:
    with pytest.raises(CredentialsExpired):
        Log(CredentialsExpired("They have expired.")).follow()
