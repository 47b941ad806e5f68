"""Durations, moments and sizes in words. Pure."""

from __future__ import annotations

from datetime import datetime, timezone


def render_duration(seconds: float) -> str:
    """``0.31 s``, ``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``3 d 04 h``."""
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def render_age(moment: datetime, now: datetime) -> str:
    """``now``, ``42 s ago``, ``3 min ago``, ``5 h ago``, ``6 d ago``, then the date."""
    seconds = (now - moment).total_seconds()
    if seconds < 5:
        return "now"
    if seconds < 60:
        return f"{int(seconds)} s ago"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    if seconds < 14 * 86400:
        return f"{int(seconds // 86400)} d ago"
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d}"


def render_moment(moment: datetime) -> str:
    """A moment in UTC, to the second: ``2026-11-21T09:15:00Z``."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def render_bytes(count: float) -> str:
    """``812 bytes``, ``1.5 KiB``, ``20.3 GiB``."""
    if count < 1024:
        return f"{int(count)} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"
