"""The live view of a job in its cell: a card that a thread keeps up to date, and stays when the kernel is gone.

The thread never prints and never displays: that would land in whatever cell runs at that moment. It replaces what the
cell's own thread has displayed, twice a second at most, and sets the values of widgets that were made there. While its
own cell waits, a button could not fire, so there is none then; a detached job has one, and the last lines of its log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from importlib import import_module
from typing import Any

from sm_remote.card.card import Card, render_card, render_tail, render_text
from sm_remote.card.state import CARD_LINES, OUTPUT_MARK, MetricReader, build_card, mark_output, read_introduction
from sm_remote.errors import RemoteError
from sm_remote.jobs.job import Job
from sm_remote.jobs.logs.line import LogTail

logger = logging.getLogger("sm_remote")

PAUSE_S = 0.5
"""Between two looks at a local job."""
REMOTE_PAUSE_S = 5.0
WIDGET_LINES = 200
TAIL_CHARACTERS = 64_000

Paint = Callable[[Card], None]


class JobView:
    """The view of one job.

    Args:
        job: Submitted.
        notes: What was sent, as lines.
        hint: What a person can do while it runs.
        shows_log: Whether the log's last lines are part of it; otherwise they stand in the cell itself.
    """

    def __init__(self, job: Job[Any], *, notes: Sequence[str] = (), hint: str = "", shows_log: bool = False) -> None:
        self._job = job
        self._notes = list(notes)
        self._hint = hint
        self._shows_log = shows_log
        self._is_local = job._connection.target == "local"
        self._tail = LogTail(most=WIDGET_LINES)
        self._lock = threading.Lock()
        self._metrics: MetricReader | None = None
        self._ended = threading.Event()
        self._handle: Any = None
        self._widgets: _Widgets | None = None
        self._shown = ""
        self._mark: dict[str, Any] = {}
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Displays the view, in the cell's own thread, and begins to keep it up to date."""
        from IPython.display import display

        description = self._job._look()
        self._metrics = MetricReader(description.raw)
        card = self._build(description)
        self._shown = render_card(card)
        self._mark = mark_output(description, is_local=self._is_local)
        self._handle = display(  # type: ignore[no-untyped-call]
            _bundle(card, self._shown), metadata=self._mark, raw=True, display_id=True
        )
        if self._shows_log:
            self._widgets = _Widgets.make(self._job)
            self._start(self._follow)
        self._start(self._keep_up)

    def open_again(self) -> None:
        """Displays the view anew, where the cell's output was cleared."""
        from IPython.display import display

        if self._handle is not None:
            self._handle = display(  # type: ignore[no-untyped-call]
                {"text/html": self._shown}, metadata=self._mark, raw=True, display_id=self._handle.display_id
            )

    def read(self, line: str) -> bool:
        """Takes a line of the log; whether the view itself says what it says, so that it need not be shown."""
        note = read_introduction(line)
        if note:
            with self._lock:
                self._notes.append(note)
        if note is None and self._metrics is not None:
            self._metrics.read(line)
        return note is not None

    def close(self, notes: Sequence[str] = ()) -> None:
        """Shows the final state, from the thread that waited for it.

        A job that goes on or is yet to stop, because its cell was interrupted, is kept up with until its end.

        Args:
            notes: What came back.
        """
        if not self._job.done():
            with self._lock:
                self._notes += notes
                self._hint = ""  # no cell waits any more
            return
        self._ended.set()
        for thread in self._threads:
            thread.join(PAUSE_S + 1)
        with self._lock:
            self._notes += notes
        if self._handle is not None:
            with suppress(RemoteError):
                self._paint()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"sm_remote-view-{self._job.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _keep_up(self) -> None:
        pause_s = PAUSE_S if self._is_local else REMOTE_PAUSE_S
        while not self._ended.wait(pause_s):
            try:
                if self._paint().is_live or self._job._may_go_on():
                    continue
            except Exception:  # a view must not end a job's watching, whatever is wrong with it
                logger.debug("The view of %s could not be updated.", self._job.name, exc_info=True)
                continue
            if self._shows_log:
                self._finish()
            return

    def _finish(self) -> None:
        """A detached job has ended: its widgets go, and the card keeps its last lines."""
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(PAUSE_S * 10)
        if self._widgets is not None:
            self._widgets.close()
            self._widgets = None
        self._paint()

    def _follow(self) -> None:
        try:
            for line in self._job.logs(follow=True):
                if not self.read(line):
                    with self._lock:
                        self._tail.add(line)
                if self._ended.is_set():
                    return
        except RemoteError as error:
            logger.debug("The log of %s cannot be followed any further: %s", self._job.name, error)

    def _paint(self) -> Card:
        description = self._job._look()
        card = self._build(description)
        html = render_card(card)
        if html != self._shown:
            self._shown = html
            self._mark = mark_output(description, is_local=self._is_local)
            self._handle.update(_bundle(card, html), metadata=self._mark, raw=True)
        if self._widgets is not None:
            with self._lock:
                lines = self._tail.lines()
            self._widgets.show(lines)
        return card

    def _build(self, description: Any) -> Card:
        with self._lock:
            notes = tuple(self._notes)
            shows_tail = self._shows_log and self._widgets is None
            tail = self._tail.lines(CARD_LINES) if shows_tail else ()
        return build_card(
            description,
            now=datetime.now(timezone.utc),
            is_local=self._is_local,
            metrics=dict(self._metrics.values) if self._metrics is not None else {},
            notes=notes,
            hint=self._hint,
            tail=tail,
        )


def _bundle(card: Card, html: str) -> dict[str, str]:
    return {"text/html": html, "text/plain": render_text(card)}


class _Widgets:
    """The last lines of a detached job's log, and a button that stops it."""

    def __init__(self, widgets: Any, job: Job[Any]) -> None:
        self._log = widgets.HTML()
        self._button = widgets.Button(description="Stop", tooltip=f"Stop the training job {job.name}")
        self._button.on_click(lambda _: self._stop(job))
        self._box = widgets.VBox([self._log, self._button])
        self._shown = ""
        self._handle: Any = None

    @classmethod
    def make(cls, job: Job[Any]) -> _Widgets | None:
        """Displays them; None where there is no ipywidgets."""
        try:
            widgets: Any = import_module("ipywidgets")  # by name: a notebook may do without it
        except ImportError:
            return None
        from IPython.display import display

        made = cls(widgets, job)
        # The mark is for the panel: it takes the widget away when its kernel is gone.
        made._handle = display(made._box, metadata={OUTPUT_MARK: {}}, display_id=True)  # type: ignore[no-untyped-call]
        return made

    def show(self, lines: Sequence[Any]) -> None:
        """Shows the newest lines that fit."""
        room = TAIL_CHARACTERS
        first = len(lines)
        while first > 0 and room > 0:
            first -= 1
            room -= sum(len(span.text) for span in lines[first])
        html = render_tail(lines[first:]) if lines else ""
        if html != self._shown:
            self._shown = html
            self._log.value = html

    def close(self) -> None:
        """Takes them away, out of the file too."""
        self._handle.update({"text/html": "", "text/plain": ""}, raw=True)
        for each in (self._box, self._log, self._button):
            each.close()

    def _stop(self, job: Job[Any]) -> None:
        self._button.disabled = True
        self._button.description = "Stopping"
        # Not in the kernel's thread: a request may take its time.
        threading.Thread(target=_stop_quietly, args=(job,), name="sm_remote-stop", daemon=True).start()


def _stop_quietly(job: Job[Any]) -> None:
    try:
        job.stop()
    except RemoteError as error:
        logger.warning("Training job %s could not be stopped: %s", job.name, error)
