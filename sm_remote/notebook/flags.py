"""The line of `%%remote` and `%remote`: flags of ours, and every setting by its name with dashes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.settings import describe_settings
from sm_remote.settings.refused_parameters import REFUSED, refuse_parameter
from sm_remote.settings.schema import check_value, read_text

SHORT = {"spot": "use_spot_instances", "image": "image_uri"}
"""The only short forms."""
OWN: Mapping[str, str] = {
    "in": "the names that are sent, instead of those that the cell is seen to read: a,b",
    "out": "the names that come back, instead of those that the cell assigns or changes: c,d",
    "detach": "do not wait: `%remote attach NAME` brings output and names later",
    "dry-run": "show what would be sent and what the job would cost, and send nothing",
    "yes": "go on although more than cell_limit_bytes would be sent or come back",
}
"""Flags that are no settings."""
_WITH_NAMES = ("in", "out")


@dataclass(frozen=True, kw_only=True, slots=True)
class Flags:
    """What a line asks for.

    Attributes:
        settings: Settings by name.
        sends: The names to send; None where they are to be found.
        wants: The names that are to come back; None where they are to be found.
        detach: Whether not to wait.
        dry_run: Whether only to show what would be done.
        yes: Whether any size is agreed to.
        words: What is no flag, in order.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    sends: tuple[str, ...] | None = None
    wants: tuple[str, ...] | None = None
    detach: bool = False
    dry_run: bool = False
    yes: bool = False
    words: tuple[str, ...] = ()


def list_flags() -> dict[str, str]:
    """Every flag with its meaning, without the dashes before it."""
    names = {one.name: one for one in describe_settings()}
    short = {flag: names[name].help for flag, name in SHORT.items() if name in names}
    return {**OWN, **short, **{name.replace("_", "-"): one.help for name, one in names.items()}}


def setting_of(flag: str) -> str | None:
    """The setting that a flag sets, or None."""
    name = SHORT.get(flag, flag.replace("-", "_"))
    return name if any(one.name == name for one in describe_settings()) else None


def parse_flags(line: str, names: Mapping[str, Any], *, magic: str) -> Flags:
    """Reads a line.

    Args:
        line: What stands behind the magic's name.
        names: Of the notebook: ``$name`` as a value stands for what is there.
        magic: For messages: ``%%remote``.

    Raises:
        ConfigError: A flag is unknown, or a value is missing or not accepted.
    """
    found: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    words: list[str] = []
    tokens = _Tokens(_split(line, magic))
    for token in tokens:
        if not token.startswith("--"):
            words.append(token)
            continue
        flag, has_value, value = token[2:].partition("=")
        if flag in OWN:
            found[flag] = _read_own(flag, value if has_value else None, tokens, magic)
        else:
            settings.update(_read_setting(flag, value if has_value else None, tokens, names, magic))
    return Flags(
        settings=settings,
        sends=found.get("in"),
        wants=found.get("out"),
        detach=found.get("detach", False),
        dry_run=found.get("dry-run", False),
        yes=found.get("yes", False),
        words=tuple(words),
    )


class _Tokens:
    """Tokens of which a flag may take the next as its value."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens

    def __iter__(self) -> Iterator[str]:
        while self._tokens:
            yield self._tokens.pop(0)

    def take_value(self) -> str | None:
        """The next token, if it is no flag."""
        if not self._tokens or self._tokens[0].startswith("--"):
            return None
        return self._tokens.pop(0)

    def take_if_in(self, words: frozenset[str]) -> str | None:
        """The next token, if it is one of these words."""
        return self._tokens.pop(0) if self._tokens and self._tokens[0].lower() in words else None


def _split(line: str, magic: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise ConfigError(
            f"The line of {magic} cannot be read: {error}.", fix="Close the quotation mark.", line=line
        ) from error


def _read_own(flag: str, value: str | None, tokens: _Tokens, magic: str) -> Any:
    if flag not in _WITH_NAMES:
        if value is not None:
            raise ConfigError(f"--{flag} of {magic} takes no value.", fix=f"Write --{flag} alone, or leave it out.")
        return True
    text = value if value is not None else tokens.take_value()
    if text is None:
        raise ConfigError(f"--{flag} of {magic} names nothing.", fix=f"Write --{flag} a,b .")
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if not name.isidentifier()]
    if wrong:
        raise ConfigError(f"--{flag} of {magic}: {wrong[0]!r} is no name.", fix=f"Write --{flag} a,b .")
    return tuple(dict.fromkeys(names))


def _read_setting(
    flag: str, value: str | None, tokens: _Tokens, names: Mapping[str, Any], magic: str
) -> dict[str, Any]:
    name = setting_of(flag)
    if name is None and flag.startswith("no-"):
        name = setting_of(flag[3:])
        if name is not None and _is_flag(name) and value is None:
            return {name: False}
        name = None
    if name is None:
        raise refuse_flag(flag, magic)
    if value is None and _is_flag(name):
        word = tokens.take_if_in(frozenset({"true", "false", "yes", "no", "on", "off", "1", "0"}))
        return {name: True if word is None else read_text(name, word, origin=magic)}
    text = value if value is not None else tokens.take_value()
    if text is None:
        raise ConfigError(
            f"--{flag} of {magic} has no value.",
            fix=f"Give {next(one.accepts for one in describe_settings() if one.name == name)}.",
            name=name,
        )
    if text.startswith("$"):
        return {name: check_value(name, _look_up(text[1:], names, flag, magic), origin=magic)}
    return {name: read_text(name, text, origin=magic)}


def _is_flag(name: str) -> bool:
    return any(one.name == name and one.is_flag for one in describe_settings())


def _look_up(name: str, names: Mapping[str, Any], flag: str, magic: str) -> Any:
    if name not in names:
        raise ConfigError(
            f"--{flag} of {magic} is ${name}, and the notebook has no {name!r}.", fix="Assign it before, or write out."
        )
    return names[name]


def refuse_flag(flag: str, magic: str) -> ConfigError:
    """Builds the error for an unknown flag; the nearest is offered."""
    known = list_flags()
    if flag.replace("-", "_") in REFUSED:
        return refuse_parameter(flag.replace("-", "_"), origin=magic)
    near = get_close_matches(flag.replace("_", "-"), known, n=1, cutoff=0.5)
    advice = f"Did you mean --{near[0]}? " if near else ""
    if flag in SHORT:
        advice = f"It is short for --{SHORT[flag].replace('_', '-')}, which this version does not have. "
    return ConfigError(
        f"{magic} has no flag --{flag}.",
        fix=f"{advice}`{magic}?` lists all.",
        flag=flag,
        nearest=near[0] if near else None,
    )
