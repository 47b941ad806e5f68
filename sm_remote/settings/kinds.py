"""The kinds of values that settings have: each checks a value, reads it from an environment variable's text, and says
in words what it accepts.

A value is refused with a `TraitError` that gives the reason; `schema` makes a `ConfigError` of it.
"""

from __future__ import annotations

import json
import operator
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from traitlets import TraitError, TraitType

from sm_remote.image.definition import Image

if TYPE_CHECKING:
    Trait = TraitType[Any, Any]
else:  # generic only since traitlets 5.10
    Trait = TraitType

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Kind(Trait):
    """A trait that can also be read from text."""

    accepts = "a value"

    def validate(self, obj: Any, value: Any) -> Any:
        """What traitlets calls when the setting is set."""
        return None if value is None and self.allow_none else self._check(value)

    def from_string(self, s: str) -> Any:
        """Reads the text of an environment variable.

        Raises:
            ValueError: It cannot be read.
        """
        return self._read_text(s)

    def info(self) -> str:
        """Says what is accepted."""
        return self.accepts

    def _check(self, value: Any) -> Any:
        """Returns the value as it is kept; the text of the TraitError that refuses it is the reason."""
        raise NotImplementedError

    def _read_text(self, text: str) -> Any:
        return text


class Choice(Kind):
    """One of a few words."""

    def __init__(self, *words: str, default: str, help: str) -> None:
        super().__init__(default, help=help)
        self.words = words
        self.accepts = " or ".join(repr(word) for word in words)

    def _check(self, value: Any) -> str:
        if not isinstance(value, str) or str(value) not in self.words:
            raise TraitError("There is no such choice")
        return str(value)


class Text(Kind):
    """A text that is not empty, of a pattern where one is given."""

    def __init__(
        self, accepts: str, *, help: str, default: str | None = None, pattern: str = r"[\s\S]+", allow_none: bool = True
    ) -> None:
        super().__init__(default, allow_none=allow_none, help=help)
        self.accepts = accepts
        self._pattern = re.compile(pattern)

    def _check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TraitError(f"Its type is {type(value).__name__}")
        if not self._pattern.fullmatch(value):
            raise TraitError("It is not of the form that is wanted")
        return value


class ImageUri(Text):
    """The URI of an image, or in Python an `Image`; a file and a variable can only name one that exists."""

    def _check(self, value: Any) -> Any:
        return value if isinstance(value, Image) else super()._check(value)


class Whole(Kind):
    """A whole number within bounds."""

    def __init__(
        self, *, least: int, most: int | None = None, default: int | None, help: str, allow_none: bool = False
    ) -> None:
        super().__init__(default, allow_none=allow_none, help=help)
        self.least, self.most = least, most
        if least == most:
            self.accepts = f"{least}: others are not built yet"
        else:
            self.accepts = f"a whole number from {least}" + (f" to {most}" if most is not None else "")

    def _check(self, value: Any) -> int:
        if isinstance(value, bool):
            raise TraitError("Its type is bool")
        try:
            number = operator.index(value)
        except TypeError as error:
            raise TraitError(f"Its type is {type(value).__name__}") from error
        if number < self.least:
            raise TraitError("It is too small")
        if self.most is not None and number > self.most:
            raise TraitError("It is too large")
        return number

    def _read_text(self, text: str) -> int:
        return int(text)


class Amount(Kind):
    """A finite number above 0."""

    def __init__(self, *, default: float | None, help: str, allow_none: bool = False) -> None:
        super().__init__(default, allow_none=allow_none, help=help)

    def _check(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TraitError(f"Its type is {type(value).__name__}")
        if not 0 < value < float("inf"):
            raise TraitError("It is too small" if value <= 0 else "It is no finite number")
        return float(value)

    def _read_text(self, text: str) -> float:
        return float(text)


class Seconds(Amount):
    """A time in seconds, more than nothing."""

    accepts = "a number of seconds above 0"


class Usd(Amount):
    """An amount of dollars, more than nothing."""

    accepts = "a number of US dollars above 0"


class Flag(Kind):
    """True or false."""

    accepts = "true or false"

    def __init__(self, *, default: bool, help: str) -> None:
        super().__init__(default, help=help)

    def _check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TraitError(f"Its type is {type(value).__name__}")
        return value

    def _read_text(self, text: str) -> bool:
        word = text.strip().lower()
        if word not in _TRUE | _FALSE:
            raise ValueError(f"none of {', '.join(sorted(_TRUE | _FALSE))}")
        return word in _TRUE


class TextMap(Kind):
    """Texts by name; numbers and bools are spelled as JSON spells them, since the API takes texts alone."""

    def __init__(
        self, accepts: str, *, help: str, name_pattern: str = r"[\s\S]+", value_pattern: str = r"[\s\S]*"
    ) -> None:
        super().__init__(help=help)
        self.accepts = accepts
        self._name_pattern = re.compile(name_pattern)
        self._value_pattern = re.compile(value_pattern)

    def make_dynamic_default(self) -> dict[str, str]:
        """What traitlets calls for the default: a mapping of its own for everyone."""
        return {}

    def _check(self, value: Any) -> dict[str, str]:
        return dict(self._check_item(name, item) for name, item in self._pairs_of(value))

    def _pairs_of(self, value: Any) -> Iterable[tuple[Any, Any]]:
        """The names with their values."""
        if not isinstance(value, Mapping):
            raise TraitError(f"Its type is {type(value).__name__}")
        return value.items()

    def _read_text(self, text: str) -> Any:
        return json.loads(text)

    def _check_item(self, name: Any, item: Any) -> tuple[str, str]:
        if not isinstance(name, str) or not self._name_pattern.fullmatch(name):
            raise TraitError(f"The name {name!r:.80} is not allowed")
        if not isinstance(item, (str, int, float)):
            raise TraitError(f"The value of {name!r} is of type {type(item).__name__}")
        text = str(item) if isinstance(item, str) else json.dumps(item)
        if not self._value_pattern.fullmatch(text):
            raise TraitError(f"The value of {name!r} has another form")
        return name, text


class Tags(TextMap):
    """Tags, in any of the forms that the SageMaker SDK takes."""

    def _pairs_of(self, value: Any) -> Iterable[tuple[Any, Any]]:
        if isinstance(value, Mapping):
            return value.items()
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise TraitError(f"Its type is {type(value).__name__}")
        return [self._pair_of(item) for item in value]

    def _pair_of(self, item: Any) -> tuple[Any, Any]:
        if isinstance(item, Mapping) and set(item) == {"Key", "Value"}:
            return item["Key"], item["Value"]
        if isinstance(item, (list, tuple)) and len(item) == 2:
            return item[0], item[1]
        raise TraitError("One of them is neither a pair nor {'Key': ..., 'Value': ...}")


class MetricDefinitions(Kind):
    """Numbers that are read out of the log, in the SageMaker SDK's spelling or as regex by name."""

    accepts = 'a list of {"Name": ..., "Regex": ...}, or a dict or table of regular expressions by name'

    def __init__(self, *, help: str) -> None:
        super().__init__((), help=help)

    def _check(self, value: Any) -> tuple[dict[str, str], ...]:
        if isinstance(value, Mapping):
            value = [{"Name": name, "Regex": regex} for name, regex in value.items()]
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise TraitError(f"Its type is {type(value).__name__}")
        return tuple(self._check_one(item) for item in value)

    def _read_text(self, text: str) -> Any:
        return json.loads(text)

    def _check_one(self, item: Any) -> dict[str, str]:
        if not isinstance(item, Mapping) or set(item) != {"Name", "Regex"}:
            raise TraitError("One of them has other keys than Name and Regex")
        name, regex = item["Name"], item["Regex"]
        if not isinstance(name, str) or not name or not isinstance(regex, str):
            raise TraitError(f"The metric {name!r} is not made of texts")
        try:
            compiled = re.compile(regex)
        except re.error as error:
            raise TraitError(f"The regular expression of {name!r} is wrong: {error}") from error
        if compiled.groups < 1:
            raise TraitError(f"The regular expression of {name!r} has no group that captures the number")
        return {"Name": name, "Regex": regex}


class Dependencies(Kind):
    """What is to be installed; only its form is checked here, `capture` reads the files."""

    accepts = "'auto', 'none', the path of a file that lists requirements, or a list of requirements"

    def __init__(self, *, help: str) -> None:
        super().__init__("auto", allow_none=True, help=help)

    def _check(self, value: Any) -> str | tuple[str, ...] | None:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str) and value.strip():
            return {"auto_capture": "auto", "none": None}.get(value.strip(), value)
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            if not all(isinstance(item, str) for item in value):
                raise TraitError("One of them is not a text")
            return tuple(value)
        raise TraitError("It is empty" if isinstance(value, str) else f"Its type is {type(value).__name__}")

    def _read_text(self, text: str) -> Any:
        return json.loads(text) if text.lstrip().startswith("[") else text
