from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.cli.inert_text import LONGEST, make_inert, make_lines_inert

HOSTILE = {
    "erase": ("before\x1b[2Jafter", "beforeafter"),
    "cursor": ("a\x1b[1000000Cb\x1b[5A", "ab"),
    "cursor, 8-bit": ("a\x9b2Jb", "ab"),
    "title": ("\x1b]0;owned\x07text", "text"),
    "link": ("\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\", "click"),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07x", "x"),
    "clipboard, 8-bit": ("\x9d52;c;cm0gLXJm\x9cx", "x"),
    "string without an end": ("shown\x1b]0;never closed", "shown"),
    "device control": ('a\x1bP$q"p\x1b\\b', "ab"),
    "reset of the terminal": ("a\x1bcb", "ab"),
    "character set": ("a\x1b(0b", "ab"),
    "escape before an escape": ("\x1b\x1b[2J[2J", "[2J"),
    "sequence cut short": ("a\x1b[12", "a"),
    "unfinished escape": ("a\x1b", "a"),
    "bell and backspace": ("a\x07b\x08c\x00", "abc"),
    "right-to-left override": ("\u202egnp.exe", "\\u202egnp.exe"),
    "isolate": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "lone surrogate": ("a\udc80b", "a\\udc80b"),
    "progress bar": ("10%\r20%\r30%", "30%"),
    "carriage return before a newline": ("windows\r", "windows"),
    "progress bar with a last return": ("10%\r20%\r", "20%"),
    "newline inside": ("a\nb", "a b"),
    "markup": ("</pre><script>alert(1)</script>", "</pre><script>alert(1)</script>"),
    "tab": ("a\tb", "a\tb"),
    "escapes inside JSON": ('{"x": "\x1b[31mred"}', '{"x": "red"}'),
}


@pytest.mark.parametrize(("hostile", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_is_shown_without_effect(hostile: str, shown: str) -> None:
    assert make_inert(hostile) == shown


def test_colours_stay_where_they_are_wanted_and_end_with_the_line() -> None:
    assert make_inert("\x1b[1;31merror\x1b[2J", colours=True) == "\x1b[1;31merror\x1b[0m"
    assert make_inert("\x1b[32mok\x1b[0m", colours=True) == "\x1b[32mok\x1b[0m"
    assert make_inert("\x1b[32mok\x1b[0m") == "ok"


def test_private_modes_that_end_in_m_are_no_colours() -> None:
    assert make_inert("a\x1b[>4;2mb", colours=True) == "ab"


@pytest.mark.parametrize("colours", [True, False])
def test_every_byte_is_harmless(colours: bool) -> None:
    text = bytes(range(256)).decode("latin-1")
    assert _is_harmless(make_inert(text, colours=colours))


def test_a_line_of_ten_million_characters_is_cut_with_a_note() -> None:
    shown = make_inert("x" * 10_000_000)
    assert len(shown) < LONGEST + 50
    assert shown.endswith("x [... 9,934,464 more characters]")


def test_a_million_nulls_are_nothing() -> None:
    assert make_inert("\0" * 1_000_000) == " [... 934,464 more characters]"


def test_lines_are_made_inert_one_by_one() -> None:
    assert make_lines_inert("a\x1b[2J\nb\r\nc") == ["a", "b", "c"]


PIECES = st.sampled_from(
    ["\x1b", "[", "]", "P", "\\", "\x9b", "\x9c", "\x9d", "\x07", ";", "31", "m", "J", "\r", "\u202e"]
)


@given(st.lists(PIECES | st.characters(), max_size=30).map("".join), st.booleans())
def test_whatever_comes_in_only_tabs_and_colours_act(text: str, colours: bool) -> None:
    shown = make_inert(text, colours=colours)
    assert _is_harmless(shown)
    assert make_inert(shown, colours=colours) == shown
    shown.encode()


def _is_harmless(text: str) -> bool:
    without_colours = re.sub(r"\x1b\[[0-9;:]*m", "", text)
    return not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", without_colours)
