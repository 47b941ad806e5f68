"""Search expressions over the documents of training jobs: which match, and in which order. Pure.

Source: API_Search, API_SearchExpression, API_Filter, API_NestedFilters. A text that reads as a number is compared as
one, which is how hyperparameters can be; times are seconds since the epoch in a document and ISO 8601 in a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import botocore.utils

Document = Mapping[str, Any]
_METRICS = "Metrics."


class UnknownPropertyError(ValueError):
    """A filter or an order names what no training job has; the text is its name."""


class Matcher:
    """Tells whether documents match an expression.

    Args:
        properties: Names of a document's members.
        times: Those of them that are times.
    """

    def __init__(self, properties: Sequence[str], times: Sequence[str]) -> None:
        self._properties = {*properties, "Metrics"}
        self._times = frozenset(times)

    def check(self, expression: Mapping[str, Any]) -> None:
        """Makes sure that an expression, and all within it, asks for what there is.

        Raises:
            UnknownPropertyError: It does not.
        """
        nested = expression.get("NestedFilters", ())
        for found in (*expression.get("Filters", ()), *(each for nest in nested for each in nest["Filters"])):
            self.check_property(found["Name"])
        for inner in expression.get("SubExpressions", ()):
            self.check(inner)

    def check_property(self, name: str) -> None:
        """Makes sure that documents have such a property.

        Raises:
            UnknownPropertyError: They do not.
        """
        if name.partition(".")[0] not in self._properties:
            raise UnknownPropertyError(name)

    def matches(self, document: Document, expression: Mapping[str, Any]) -> bool:
        """Whether a document matches; an empty expression is matched by all."""
        found = [
            *(self._passes(document, each) for each in expression.get("Filters", ())),
            *(self._passes_nested(document, each) for each in expression.get("NestedFilters", ())),
            *(self.matches(document, each) for each in expression.get("SubExpressions", ())),
        ]
        if not found:
            return True
        return any(found) if expression.get("Operator") == "Or" else all(found)

    def find_order(self, document: Document, name: str) -> tuple[int, float, str]:
        """Where a document stands in the order of a property: those without it first, numbers before texts."""
        for value in find_values(document, name):
            if isinstance(value, (int, float)):
                return 1, float(value), ""
            return 2, 0.0, str(value)
        return 0, 0.0, ""

    def _passes(self, document: Document, found: Mapping[str, Any]) -> bool:
        values = list(find_values(document, found["Name"]))
        operator = found.get("Operator", "Equals")
        if operator in ("Exists", "NotExists"):
            exists: bool = operator == "Exists"
            return bool(values) is exists
        asked: str = found.get("Value", "")
        if operator == "NotEquals":
            return not any(self._compare(value, "Equals", asked, found["Name"]) for value in values)
        return any(self._compare(value, operator, asked, found["Name"]) for value in values)

    def _passes_nested(self, document: Document, nested: Mapping[str, Any]) -> bool:
        """Whether one item of a list passes all filters, whose names begin with the list's."""
        name = nested["NestedPropertyName"]
        for item in find_values(document, name):
            within: Any = item
            for part in reversed(name.split(".")):
                within = {part: within}
            if all(self._passes(within, each) for each in nested["Filters"]):
                return True
        return False

    def _compare(self, value: Any, operator: str, asked: str, name: str) -> bool:
        if operator == "Contains":
            return asked in str(value)
        if operator == "In":
            return str(value) in [each.strip() for each in asked.split(",")]
        left = _read_number(value)
        right = _read_time(asked) if name in self._times else _read_number(asked)
        if left is None or right is None:
            return operator == "Equals" and _show(value) == asked
        if name in self._times:
            left = float(int(left))  # filters know whole seconds
        return _COMPARISONS[operator](left, right)


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "Equals": lambda left, right: left == right,
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}


def find_values(document: Document, name: str) -> Iterator[Any]:
    """Yields what a property holds: nothing, one value, or those of all items of lists on the way to it.

    ``Tags.<key>`` is the tag's value, ``Metrics.<name>`` the metric's last one; keys may have dots.
    """
    if name.startswith(_METRICS):
        wanted = name[len(_METRICS) :]
        for metric in document.get("FinalMetricDataList", ()):
            if metric["MetricName"] == wanted:
                yield metric["Value"]
        return
    if name.startswith("Tags."):
        yield from (tag["Value"] for tag in document.get("Tags", ()) if tag["Key"] == name[len("Tags.") :])
        return
    yield from _walk(document, name)


def _walk(value: Any, path: str) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        if path in value:
            yield from _walk(value[path], "")
            return
        first, _, rest = path.partition(".")
        if first in value and rest:
            yield from _walk(value[first], rest)


def _read_number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _read_time(text: str) -> float | None:
    try:
        return float(botocore.utils.parse_to_aware_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None


def _show(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
