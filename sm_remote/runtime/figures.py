"""A matplotlib backend for cells: figures are drawn by Agg, and ``show()`` displays them.

Imported by matplotlib alone.
"""

from __future__ import annotations

from typing import Any

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sm_remote.runtime import display


class FigureManager(FigureManagerBase):
    """What ``figure.show()`` calls."""

    def show(self) -> None:
        """Displays the figure."""
        display.display(self.canvas.figure)


class FigureCanvas(FigureCanvasAgg):
    """Agg's, with our manager."""

    manager_class = FigureManager


def show(*_: Any, **__: Any) -> None:
    """``pyplot.show()``: displays all open figures and closes them."""
    display.screen().show_open_figures()
