"""A bar for data that takes its time: only where there is much of it, and only where somebody looks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHOWN_FROM_BYTES = 100_000_000


@contextmanager
def show_transfer(title: str, size_bytes: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Shows how far bytes are; yields what is told of each part.

    Args:
        title: Stands before the bar.
        size_bytes: How much there is in all.
        shown: Whether a bar is wanted; none is drawn into what is no terminal and no notebook.
    """
    if not shown or size_bytes < SHOWN_FROM_BYTES:
        yield lambda _: None
        return
    from tqdm import TqdmWarning
    from tqdm.auto import tqdm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # without ipywidgets the plain bar is shown
        bar = tqdm(total=size_bytes, desc=title, unit="B", unit_scale=True, disable=None)
    with bar:

        def advance(done: int) -> None:
            bar.update(done)

        yield advance
