"""Sizes as people read them."""

from __future__ import annotations


def render_size(size_bytes: int) -> str:
    """A size as people read it: ``812 B``, ``1.2 MB``."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
