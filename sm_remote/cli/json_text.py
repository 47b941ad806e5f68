"""JSON as every command prints it. Pure."""

from __future__ import annotations

import json
from typing import Any


def render_json(value: Any) -> str:
    """Indented JSON; ASCII only, so nothing in it acts on a terminal."""
    return json.dumps(value, indent=2) + "\n"
