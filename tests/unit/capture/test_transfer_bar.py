"""A bar is drawn where there is much to wait for and somebody who looks."""

from __future__ import annotations

import io
import sys

import pytest

from sm_remote.capture.transfer_bar import SHOWN_FROM_BYTES, show_transfer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("size_bytes", "shown", "stream", "is_drawn"),
    [
        (SHOWN_FROM_BYTES, True, Terminal(), True),
        (SHOWN_FROM_BYTES - 1, True, Terminal(), False),
        (SHOWN_FROM_BYTES, False, Terminal(), False),
        (SHOWN_FROM_BYTES, True, io.StringIO(), False),
    ],
)
def test_a_bar_is_drawn_for_much_data_on_a_terminal(size_bytes, shown, stream, is_drawn, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with show_transfer("sending train", size_bytes, shown=shown) as advance:
        advance(size_bytes)
    assert ("sending train" in stream.getvalue()) is is_drawn
    assert ("100%" in stream.getvalue()) is is_drawn
