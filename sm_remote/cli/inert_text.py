"""Makes text that a job or an API wrote harmless to print: it can colour itself and nothing else.

A log line may hold anything: sequences that clear the screen, set the clipboard or the title, type into the terminal
or reverse the reading order. What comes out of here holds no control character but the tab, and no escape sequence but
SGR (colours), where those are wanted at all. Not for files and pipes: those get what the job wrote.
"""

from __future__ import annotations

import re

LONGEST = 64 * 1024
"""Characters of one line; the rest is counted, not shown."""

_SEQUENCE = re.compile(
    r"""
      (?P<colours>\x1b\[[0-9;:]{0,64}m)
    | (?:\x1b\[|\x9b)[0-?]*[\ -/]*[@-~]?                                        # CSI: cursor, erase, modes
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?  # OSC, DCS, SOS, PM, APC
    | \x1b[\ -/]*[0-~]?                                                          # any other escape
    | [\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]
    | (?P<shown>[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff])
    """,
    re.VERBOSE,
)
_RESET = "\x1b[0m"


def make_inert(line: str, *, colours: bool = False) -> str:
    """Returns one line without anything that acts on a terminal.

    A progress bar, drawn over itself with carriage returns, is its last state. Bidirectional overrides and lone
    surrogates are shown as escapes (``\\u202e``), so that they are seen instead of obeyed.

    Args:
        line: Without its newline; further newlines become spaces.
        colours: Whether SGR sequences stay; they end with the line.
    """
    line = line[line.rstrip("\r").rfind("\r") + 1 :].rstrip("\r").replace("\n", " ")
    left_out = len(line) - LONGEST
    if left_out > 0:
        line = line[:LONGEST]
    shown = _SEQUENCE.sub(_keep_colours if colours else _drop_colours, line)
    if left_out > 0:
        shown += f" [... {left_out:,} more characters]"
    return shown + _RESET if "\x1b" in shown and not shown.endswith(_RESET) else shown


def make_lines_inert(text: str, *, colours: bool = False) -> list[str]:
    """The lines of a text, each made inert."""
    return [make_inert(line, colours=colours) for line in text.split("\n")]


def _keep_colours(found: re.Match[str]) -> str:
    return found["colours"] or _show(found)


def _drop_colours(found: re.Match[str]) -> str:
    return _show(found)


def _show(found: re.Match[str]) -> str:
    return f"\\u{ord(found['shown']):04x}" if found["shown"] else ""
