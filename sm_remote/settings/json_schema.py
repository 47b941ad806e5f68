"""The settings as JSON schemas, for forms: what a value looks like. Whether it is accepted, Python decides."""

from __future__ import annotations

from typing import Any

from sm_remote.settings.input_kinds import Inputs
from sm_remote.settings.kinds import Amount, Choice, Dependencies, Flag, Kind, MetricDefinitions, Text, TextMap, Whole
from sm_remote.settings.request_kinds import InstanceGroups, Structure, TextList
from sm_remote.settings.schema import SettingDescription, describe_settings, find_kind
from sm_remote.settings.succession_kinds import ErrorNames
from sm_remote.settings.workspace_kinds import Commands, FileFilter, FilePath


def build_json_schemas() -> dict[str, dict[str, Any]]:
    """One schema for each setting, by name, in the order of the settings."""
    return {found.name: _describe(found, find_kind(found.name)) for found in describe_settings()}


def _describe(found: SettingDescription, kind: Kind) -> dict[str, Any]:
    return {"description": found.help, "accepts": found.accepts, "default": _plain(found.default), **_shape(kind)}


def _shape(kind: Kind) -> dict[str, Any]:
    if isinstance(kind, Choice):
        return {"type": "string", "enum": list(kind.words)}
    if isinstance(kind, Whole):
        bounds = {"minimum": kind.least, "maximum": kind.most}
        return {"type": "integer", **{name: bound for name, bound in bounds.items() if bound is not None}}
    if isinstance(kind, Amount):
        return {"type": ["number", "null"] if kind.allow_none else "number", "exclusiveMinimum": 0}
    if isinstance(kind, Flag):
        return {"type": "boolean"}
    if isinstance(kind, (TextMap, Inputs)):
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if isinstance(kind, Structure):
        return {"type": "object"}
    if isinstance(kind, (Commands, FileFilter, TextList)):
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(kind, Dependencies):
        return {"type": ["string", "array", "null"], "items": {"type": "string"}}
    if isinstance(kind, ErrorNames):
        return {"type": ["string", "array"], "items": {"type": "string"}}
    if isinstance(kind, (MetricDefinitions, InstanceGroups)):
        return {"type": "array", "items": {"type": "object"}}
    if isinstance(kind, (Text, FilePath)):
        return {"type": ["string", "null"]}
    return {}


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
