"""A job's value, and the exception that came instead of one, as text."""

from __future__ import annotations

import pprint
import reprlib
import traceback
from collections.abc import Sized
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

LONGEST = 20_000
"""Characters of a value that are shown; `-o FILE` takes the whole of it."""
MOST_ITEMS = 2_000
"""Items, at all depths, that are laid out in full; a larger container is abbreviated before it is laid out."""
PACKAGE = str(Path(__file__).parents[1])


def render_value(value: object, *, width: int) -> tuple[str, str]:
    """The value's repr, containers one item a line where they do not fit, and a note when it was shortened."""
    if _count_items(value, MOST_ITEMS) >= MOST_ITEMS:
        text, note = _Abbreviated().repr(value), f"The value ({_describe(value)}) is abbreviated"
    else:
        text, note = pprint.pformat(value, width=width, sort_dicts=False), ""
    if len(text) > LONGEST:
        note = f"The value is cut after {LONGEST:,} of {len(text):,} characters"
        text = text[:LONGEST] + "..."
    return text + "\n", f"{note}; `-o FILE` writes the whole of it, pickled.\n" if note else ""


def _describe(value: object) -> str:
    count = f" of {len(value):,} items" if isinstance(value, Sized) else ""
    return type(value).__name__ + count


def _count_items(value: object, most: int) -> int:
    """How many items builtin containers hold at all depths, counted no further than ``most``."""
    waiting: list[Any] = [value]
    count = 0
    while waiting and count < most:
        item = waiting.pop()
        if isinstance(item, dict):
            count += len(item)
            waiting.extend(islice(item.values(), most))
        elif isinstance(item, (list, tuple, set, frozenset)):
            count += len(item)
            waiting.extend(islice(item, most))
    return count


class _Abbreviated(reprlib.Repr):
    """A repr whose work is bounded: of each container the first items, of each object so many characters."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = self.maxdeque = 20
        self.maxstring = self.maxother = self.maxlong = 1_000


def render_exception(error: BaseException) -> str:
    """The exception as Python prints it, without the frames of this program: those of the job remain."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = _skip_our_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _skip_our_frames(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(PACKAGE):
        frames = frames.tb_next
    return frames
