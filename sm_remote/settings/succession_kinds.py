"""The kinds of the settings that say what follows a job which could not be had or has failed."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Sequence
from typing import Any

from traitlets import TraitError

from sm_remote import errors
from sm_remote.settings.kinds import Kind, Text

MOST_TYPES = 8
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_WHOLE_HOST = ("local", "local_gpu")


def split_types(text: str | None) -> list[str | None]:
    """The instance types that a setting names, the first one first; None where nobody named one."""
    return [None] if text is None else list(text.split(","))


class InstanceTypes(Text):
    """The name of an instance type, or several in the order in which they are tried; kept with commas between them."""

    def __init__(self, *, help: str) -> None:
        super().__init__(
            "the name of an instance type such as 'ml.m5.large', a list of up to 8 of them, or 'local' or 'local_gpu' "
            "for the whole of this machine",
            help=help,
        )

    def _check(self, value: Any) -> str:
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            names = [super(InstanceTypes, self)._check(each).strip() for each in value]
        else:
            names = [each.strip() for each in super()._check(value).split(",")]
        if not names or not all(names):
            raise TraitError("One of the names is empty" if names else "It is empty")
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise TraitError(f"It names {twice[0]!r} twice")
        if len(names) > 1 and any(name in _WHOLE_HOST for name in names):
            raise TraitError("'local' and 'local_gpu' mean the whole of this machine, and nothing can follow them")
        if len(names) > MOST_TYPES:
            raise TraitError(f"It names {len(names)} types")
        return ",".join(names)


class ErrorNames(Kind):
    """Classes of errors, or their names: bare for those of sm_remote and of Python, else with their module."""

    accepts = (
        "a class of errors such as OutOfMemory or ConnectionError, its name ('torch.cuda.OutOfMemoryError'), or a list"
    )

    def __init__(self, *, help: str) -> None:
        super().__init__((), help=help)

    def _check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [each.strip() for each in value.split(",") if each.strip()]
        elif isinstance(value, type):
            value = [value]
        if not isinstance(value, Iterable):
            raise TraitError(f"Its type is {type(value).__name__}")
        return tuple(dict.fromkeys(_name_error(each) for each in value))


def name_class(kind: type) -> str:
    """How a class of errors is named in settings."""
    is_known = kind.__module__ in ("builtins", errors.__name__)
    return kind.__qualname__ if is_known else f"{kind.__module__}.{kind.__qualname__}"


def _name_error(value: Any) -> str:
    name = name_class(value) if isinstance(value, type) and issubclass(value, BaseException) else value
    if not isinstance(name, str):
        raise TraitError(f"{name!r:.80} is no class of errors")
    if "." in name:
        if not _DOTTED.fullmatch(name) and not isinstance(value, type):
            raise TraitError(f"{name!r:.80} is no name of a class")
        return name
    found = getattr(errors, name, None) or getattr(builtins, name, None)
    if not isinstance(found, type) or not issubclass(found, Exception):
        raise TraitError(f"{name!r:.80} is no error of sm_remote's or of Python's; give its module too")
    if issubclass(found, errors.RemoteError) and not issubclass(found, errors.JobError):
        raise TraitError(f"{name} is nothing that a job ends with")
    if issubclass(found, errors.JobStopped):
        raise TraitError("A job that somebody stopped is not tried again")
    return name
