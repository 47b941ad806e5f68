"""Settings with their values and where they come from, as text. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.table import paint, render_table, render_tabs

DEFAULT = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingRow:
    """One setting.

    Attributes:
        name: As `@remote` takes it.
        value: In effect.
        origin: The file, variable or argument that it comes from; `DEFAULT` where nobody set it.
        help: What it does.
    """

    name: str
    value: Any
    origin: str
    help: str


def render_config(settings: Sequence[SettingRow], *, colours: bool) -> str:
    """A table; what somebody set stands out."""
    rows = []
    for setting in settings:
        colour = None if setting.origin == DEFAULT else "cyan"
        value = paint(make_inert(_spell(setting.value)), colour, colours=colours)
        rows.append((setting.name, value, make_inert(setting.origin)))
    return render_table(("SETTING", "VALUE", "ORIGIN"), rows)


def render_config_with_help(settings: Sequence[SettingRow], *, width: int, colours: bool) -> str:
    """Each setting with its value, its origin and, below, what it does."""
    parts = []
    for setting in settings:
        name = paint(setting.name, "cyan", colours=colours)
        parts.append(f"{name} = {make_inert(_spell(setting.value))}  ({make_inert(setting.origin)})\n")
        parts.append(textwrap.fill(setting.help, width, initial_indent="    ", subsequent_indent="    ") + "\n")
    return "".join(parts)


def render_config_tabs(settings: Sequence[SettingRow]) -> str:
    """Name, value and origin, one setting a line, for other programs."""
    return render_tabs(
        [(setting.name, make_inert(_spell(setting.value)), make_inert(setting.origin)) for setting in settings]
    )


def render_config_json(settings: Sequence[SettingRow]) -> str:
    """The settings as a JSON object, by name."""
    return render_json(
        {
            setting.name: {"value": _simplify(setting.value), "origin": setting.origin, "help": setting.help}
            for setting in settings
        }
    )


def _spell(value: Any) -> str:
    """A value as a configuration file would have it; a dash for None, which no file can say."""
    return "-" if value is None else json.dumps(_simplify(value), ensure_ascii=False)


def _simplify(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _simplify(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_simplify(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
