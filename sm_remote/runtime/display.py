"""What a cell displays: taken down in the job as IPython would render it, shown in the notebook where it belongs.

A line in the log marks each place, so that output and text keep their order; the rendered data goes into the outcome.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from sm_remote.runtime.rendering import render_object
from sm_remote.wire.marker import DisplayMark, format_display

MOST_BYTES = 50_000_000
"""Of all that a cell displays; what goes beyond is shown as its text alone."""

Bundle = dict[str, Any]


class DisplayHandle:
    """What ``display(..., display_id=True)`` gives: a place whose content can be replaced."""

    def __init__(self, display_id: str | None = None) -> None:
        self.display_id = display_id or f"cell-{id(self):x}"

    def display(self, obj: Any, **options: Any) -> None:
        """Shows an object in a new place of this name."""
        display(obj, display_id=self.display_id, **options)

    def update(self, obj: Any, **options: Any) -> None:
        """Replaces what is shown there."""
        update_display(obj, display_id=self.display_id, **options)

    def __repr__(self) -> str:
        return f"<DisplayHandle display_id={self.display_id}>"


class Screen:
    """The places of one cell's output.

    Args:
        manifest_digest: Of the job, for the marks in its log.
        find_log: Gives the stream that leads to the log.
    """

    def __init__(self, manifest_digest: str, find_log: Callable[[], TextIO]) -> None:
        self._manifest_digest = manifest_digest
        self._find_log = find_log
        self._places: dict[int, tuple[Bundle, Bundle]] = {}
        self._numbers: dict[str, int] = {}
        self._count = 0
        self._bytes_left = MOST_BYTES
        self._is_to_clear = False
        self._last_figure: object = None

    def show(self, data: Mapping[str, Any], metadata: Mapping[str, Any], *, display_id: str | None = None) -> None:
        """Adds a place."""
        self._clear_if_due()
        number, self._count = self._count, self._count + 1
        if display_id is not None:
            self._numbers[display_id] = number
        self._place("show", number, data, metadata)

    def update(self, data: Mapping[str, Any], metadata: Mapping[str, Any], *, display_id: str) -> None:
        """Replaces what is in a place; a name that no place has is passed over, as IPython does."""
        number = self._numbers.get(display_id)
        if number is not None:
            self._place("update", number, data, metadata)

    def clear(self, *, wait: bool) -> None:
        """Removes all places, or does so when the next is added."""
        self._is_to_clear = wait
        if not wait:
            self._clear(wait)

    def show_result(self, value: Any) -> None:
        """Shows the value of an expression."""
        display(value)
        self._last_figure = value

    def show_open_figures(self) -> None:
        """Shows matplotlib's open figures and closes them, as a notebook does after each cell."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums():
                figure = pyplot.figure(number)
                if figure is not self._last_figure:
                    display(figure)
            pyplot.close("all")
        except Exception as error:  # noqa: BLE001 - a figure that cannot be drawn must not cost the cell's names
            sys.stderr.write(f"sm_remote: a figure cannot be drawn: {type(error).__name__}: {error}\n")

    def list_places(self) -> list[tuple[int, Bundle, Bundle]]:
        """What is shown at the end: number, data and metadata of each place."""
        return [(number, *place) for number, place in sorted(self._places.items())]

    def _place(self, kind: str, number: int, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        text = str(data.get("text/plain", ""))
        kept = dict(data)
        self._bytes_left += sum(map(_count_bytes, self._places.get(number, ({}, {}))[0].values()))
        size_bytes = sum(map(_count_bytes, kept.values()))
        if size_bytes > self._bytes_left:
            kept = {"text/plain": f"{text[:10_000]}\n(sm_remote: {size_bytes:,} bytes of output were left out)"}
            size_bytes = _count_bytes(kept["text/plain"])
        self._bytes_left -= size_bytes
        self._places[number] = (kept, dict(metadata))
        self._mark(DisplayMark(kind=kind, number=number, text=text))

    def _clear_if_due(self) -> None:
        if self._is_to_clear:
            self._is_to_clear = False
            self._clear(True)

    def _clear(self, wait: bool) -> None:
        self._places.clear()
        self._bytes_left = MOST_BYTES
        self._mark(DisplayMark(kind="clear", text="wait" if wait else ""))

    def _mark(self, mark: DisplayMark) -> None:
        sys.stdout.flush()  # it stands behind what was printed before
        stream = self._find_log()
        stream.write(format_display(mark, self._manifest_digest) + "\n")
        stream.flush()


def _count_bytes(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(repr(value))


_screens: list[Screen] = []


def find_own_log() -> TextIO:
    """The process's own stdout, also where ``sys.stdout`` was replaced, as by ``contextlib.redirect_stdout``."""
    return sys.__stdout__ if sys.__stdout__ is not None else sys.stdout


def open_screen(manifest_digest: str, find_log: Callable[[], TextIO] = find_own_log) -> Screen:
    """Makes the screen of this process's cell, and ``display`` a builtin, as it is in a notebook."""
    _screens[:] = [Screen(manifest_digest, find_log)]
    builtins.display = display  # type: ignore[attr-defined]
    return _screens[0]


def screen() -> Screen:
    """The screen of this process's cell."""
    return _screens[0]


def display(
    *objs: Any,
    include: Any = None,
    exclude: Any = None,
    metadata: Mapping[str, Any] | None = None,
    transient: Mapping[str, Any] | None = None,
    display_id: str | bool | None = None,
    raw: bool = False,
    clear: bool = False,
    **_: Any,
) -> DisplayHandle | None:
    """``IPython.display.display``, in a job."""
    if clear:
        screen().clear(wait=True)
    known = (transient or {}).get("display_id") if display_id is None else display_id
    handle = DisplayHandle(None if known is True else str(known)) if known else None
    for obj in objs:
        rendered = (dict(obj), {}) if raw else render_object(obj, include=include, exclude=exclude)
        if rendered is not None:
            data, own = rendered
            screen().show(data, {**own, **(metadata or {})}, display_id=handle.display_id if handle else None)
    return handle if display_id else None


def update_display(obj: Any, *, display_id: str, metadata: Mapping[str, Any] | None = None, **options: Any) -> None:
    """``IPython.display.update_display``, in a job."""
    rendered = (dict(obj), {}) if options.get("raw") else render_object(obj)
    if rendered is not None:
        screen().update(rendered[0], {**rendered[1], **(metadata or {})}, display_id=display_id)


def publish_display_data(
    data: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
    *,
    transient: Mapping[str, Any] | None = None,
    update: bool = False,
    **_: Any,
) -> None:
    """``IPython.display.publish_display_data``, in a job."""
    display_id = (transient or {}).get("display_id")
    if update and display_id:
        screen().update(data, metadata or {}, display_id=display_id)
    else:
        screen().show(data, metadata or {}, display_id=display_id)


def clear_output(wait: bool = False) -> None:
    """``IPython.display.clear_output``, in a job."""
    screen().clear(wait=wait)
