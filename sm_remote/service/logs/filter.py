"""Which lines FilterLogEvents finds: filter patterns, and lines of several streams in the order of their times.

Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax", unstructured log events: terms that must all be
there, ``?term`` of which one must be, ``-term`` that must not, ``"a phrase"``, and ``%regular expression%``.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sm_remote.service.logs.stream import LogEvent, find_time, iterate_from

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]\S*))')

Test = Callable[[str], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundEvent:
    """One line with its place.

    Attributes:
        stream: Its stream's whole name.
        end: The offset behind it.
        event: What it says.
    """

    stream: str
    end: int
    event: LogEvent


def parse_pattern(pattern: str) -> Test:
    """Reads a filter pattern; an empty one is true of every line.

    Raises:
        ValueError: It is no pattern, or one for structured log events.
    """
    text = pattern.strip()
    if text.startswith(("{", "[")):
        raise ValueError("patterns for JSON and for columns are not served")
    needed: list[Test] = []
    optional: list[Test] = []
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise ValueError(f"{text[position:]!r} is no term")
        position = found.end()
        test = _build_test(found)
        if found[1] == "?":
            optional.append(test)
        else:
            needed.append(_negate(test) if found[1] == "-" else test)
    return lambda line: all(test(line) for test in needed) and (not optional or any(test(line) for test in optional))


def _build_test(found: re.Match[str]) -> Test:
    if found[3] is not None:
        try:
            expression = re.compile(found[3])
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{found[3]!r} is no regular expression: {error}") from None
        return lambda line: expression.search(line) is not None
    word = found[4] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
    return lambda line: word in line


def _negate(test: Test) -> Test:
    return lambda line: not test(line)


def merge_streams(streams: Mapping[str, tuple[Path, int]], start_ms: int) -> Iterator[FoundEvent]:
    """Yields the lines of several streams, oldest first.

    Args:
        streams: The file of each, by its whole name, and the offset from which on it is read.
        start_ms: Nothing older is of interest; a line or two may come nevertheless.
    """
    return heapq.merge(
        *(_read(name, path, offset, start_ms) for name, (path, offset) in sorted(streams.items())),
        key=lambda found: found.event.timestamp_ms,
    )


def _read(name: str, path: Path, offset: int, start_ms: int) -> Iterator[FoundEvent]:
    for end, event in iterate_from(path, max(offset, find_time(path, start_ms))):
        yield FoundEvent(stream=name, end=end, event=event)
