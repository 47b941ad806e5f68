"""What a terminal would show of a log's lines: colours are kept, progress bars are one line, nothing else acts. Pure.

A line may hold anything. What comes out of here is texts with styles, in which no character acts on anything: control
characters are left out, and those that turn the reading order round are shown as escapes. The panel does the same in
TypeScript; both are held to ``tests/vectors/ansi.json``.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<csi>(?:\x1b\[|\x9b)(?P<parameters>[0-?]*)[\ -/]*(?P<final>[@-~])?)
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?
    | \x1b[\ -/]*[0-~]?
    | (?P<back>\x08)
    | (?P<carriage>\r)
    | [\x00-\x07\x0a-\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]
    | (?P<shown>[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff])
    """,
    re.VERBOSE,
)
_BAR = re.compile(r"(?P<label>[^%|]*?)\s*(?P<percent>\d{1,3})%\|")
_COUNTER = re.compile(
    r"(?P<label>.*?)(?P<count>\d{1,12}(?:\.\d{1,3})?[kMGTPEZ]?)(?P<unit>[^\s\d\[|]{0,20}|\s[^\s\d\[|]{1,20})"
    r"\s\[(?:(?P<hours>\d{1,4}):)?(?P<minutes>\d\d):(?P<seconds>\d\d), "
)
"""tqdm's line where it knows no total: ``fit: 123it [00:01, 99.8it/s]``."""
_LONGEST_BAR = 500
"""Characters in which a bar is looked for."""
_FLAGS = ("bold", "dim", "italic", "underline", "inverse", "strike")
_SET = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_UNSET = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}
LONGEST = 16 * 1024
"""Characters of one line; the rest is counted, not shown."""
_CUBE = (0, 95, 135, 175, 215, 255)

Style = Mapping[str, str]
_PLAIN: Style = MappingProxyType({})


class Span(NamedTuple):
    """A stretch of text; ``style`` holds words such as ``bold``, ``fg1`` (of the theme's 16 colours), ``bg#102030``."""

    text: str
    style: str


def reduce_line(line: str) -> list[Span]:
    """The spans of a line without its newline."""
    left_out = len(line) - LONGEST
    if left_out > 0:
        line = f"{line[:LONGEST]} [... {left_out:,} more characters]"
    if _TOKEN.search(line) is None:
        return [Span(line, "")] if line else []
    screen = _Line()
    style = _PLAIN
    start = 0
    for found in _TOKEN.finditer(line):
        screen.write(line[start : found.start()], style)
        start = found.end()
        if found["final"] == "m":
            style = _apply_sgr(style, found["parameters"])
        elif found["final"] == "K":
            screen.erase(found["parameters"])
        elif found["back"]:
            screen.column = max(0, screen.column - 1)
        elif found["carriage"]:
            screen.column = 0
        elif found["shown"]:
            screen.write(f"\\u{ord(found['shown']):04x}", style)
    screen.write(line[start:], style)
    return screen.spans()


class _Line:
    """A line of a terminal: a cell for each character."""

    def __init__(self) -> None:
        self.column = 0
        self._cells: list[tuple[str, Style]] = []

    def write(self, text: str, style: Style) -> None:
        cells = self._cells
        cells += [(" ", _PLAIN)] * (self.column - len(cells)) if text else []
        cells[self.column : self.column + len(text)] = [(character, style) for character in text]
        self.column += len(text)

    def erase(self, parameters: str) -> None:
        if parameters in ("", "0"):
            del self._cells[self.column :]
        elif parameters == "2":
            self._cells.clear()

    def spans(self) -> list[Span]:
        joined: list[Span] = []
        for character, style in self._cells:
            name = _name_style(style)
            if joined and joined[-1].style == name:
                joined[-1] = Span(joined[-1].text + character, name)
            else:
                joined.append(Span(character, name))
        return joined


def _name_style(style: Style) -> str:
    words = [flag for flag in _FLAGS if flag in style]
    return " ".join([*words, *(f"{ground}{style[ground]}" for ground in ("fg", "bg") if ground in style)])


def _apply_sgr(style: Style, parameters: str) -> Style:
    changed = dict(style)
    codes = _read_codes(parameters)
    while codes:
        code = codes.pop(0)
        if code in (38, 48):
            colour = _take_colour(codes)
            if colour is not None:
                changed["fg" if code == 38 else "bg"] = colour
        elif code == 0:
            changed.clear()
        else:
            _apply_one(changed, code)
    return changed


def _read_codes(parameters: str) -> list[int]:
    # With colons an empty colour space may stand between the kind and the numbers.
    parts = re.sub(r"(?<=[34]8:2):(?=:)", "", parameters).replace(":", ";").split(";")
    return [int(part) if part.isdigit() else 0 for part in parts]


def _take_colour(codes: list[int]) -> str | None:
    kind = codes.pop(0) if codes else None
    if kind == 5 and codes:
        return _name_colour(codes.pop(0))
    if kind == 2:
        red_green_blue = codes[:3]
        del codes[:3]
        if len(red_green_blue) == 3 and max(red_green_blue) < 256:
            return "#" + "".join(f"{part:02x}" for part in red_green_blue)
    return None


def _name_colour(number: int) -> str | None:
    """A colour of the 256: of the theme, of the cube, or a grey."""
    if number < 16:
        return str(number)
    if number < 232:
        number -= 16
        parts = _CUBE[number // 36], _CUBE[number // 6 % 6], _CUBE[number % 6]
        return "#" + "".join(f"{part:02x}" for part in parts)
    return None if number > 255 else "#" + f"{8 + 10 * (number - 232):02x}" * 3


def _apply_one(changed: dict[str, str], code: int) -> None:
    if code in _SET:
        changed[_SET[code]] = ""
    for flag in _UNSET.get(code, ()):
        changed.pop(flag, None)
    if code in (39, 49):
        changed.pop("fg" if code == 39 else "bg", None)
    for ground, base in (("fg", 30), ("bg", 40)):
        if base <= code < base + 8:
            changed[ground] = str(code - base)
        elif base + 60 <= code < base + 68:
            changed[ground] = str(code - base - 60 + 8)


class _Bar(NamedTuple):
    """A state of a progress bar: what it is called, and how far it is (per cent, or seconds since it began)."""

    label: str
    progress: int


def _read_bar(line: str) -> _Bar | None:
    start = line[:_LONGEST_BAR]
    found = _BAR.match(start)
    if found is not None:
        return _Bar(found["label"], int(found["percent"]))
    found = _COUNTER.match(start)
    if found is None:
        return None
    minutes = int(found["hours"] or 0) * 60 + int(found["minutes"])
    return _Bar(f"{found['label']}|{found['unit']}", minutes * 60 + int(found["seconds"]))


def is_bar(line: str) -> bool:
    """Whether a line looks like the state of a progress bar."""
    return _read_bar(line) is not None


def fold_bar(line: str) -> str:
    """What is left to see of a bar that drew itself over; any other line as it is."""
    last = line.rstrip("\r ").rpartition("\r")[2]
    return last if is_bar(last) else line


def continues_bar(before: str, after: str) -> bool:
    """Whether a line is a later state of the progress bar that the line before it shows."""
    one, other = _read_bar(before), _read_bar(after)
    if one is None or other is None:
        return False
    return one.label == other.label and one.progress <= other.progress


@dataclass(kw_only=True, slots=True)
class LogTail:
    """The newest lines of a log, as they are shown.

    Attributes:
        most: How many are kept.
        count: How many were shown in all.
    """

    most: int = 500
    count: int = 0
    _lines: deque[tuple[str, list[Span]]] = field(default_factory=deque)

    def add(self, line: str) -> bool:
        """Takes a line; whether it is drawn over the one before."""
        spans = reduce_line(line)
        text = "".join(span.text for span in spans)
        drawn_over = bool(self._lines) and continues_bar(self._lines[-1][0], text)
        if drawn_over:
            self._lines.pop()
        else:
            self.count += 1
        self._lines.append((text, spans))
        if len(self._lines) > self.most:
            self._lines.popleft()
        return drawn_over

    def extend(self, lines: Iterable[str]) -> None:
        """Takes lines."""
        for line in lines:
            self.add(line)

    def lines(self, most: int | None = None) -> list[list[Span]]:
        """The newest lines, oldest of them first."""
        kept = [spans for _, spans in self._lines]
        return kept if most is None else kept[len(kept) - min(most, len(kept)) :]
