"""Rules about the members of a request, as values: what breaks each, and what is said then.

The model (`model`) has the limits of each member alone; a `Rule` says what members have to do with each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.service.api.model import camel_path, violation


@dataclass(frozen=True, slots=True)
class Node:
    """One structure of a request: the request itself, or an item of one of its lists.

    Attributes:
        job: The whole request.
        value: The structure.
        path: Where it lies, as messages spell it; empty for the request itself.
    """

    job: Mapping[str, Any]
    value: Mapping[str, Any]
    path: str = ""

    def __getitem__(self, path: str) -> Any:
        """The member at a dotted path below this structure, or None."""
        return _walk(self.value, path)

    def of_job(self, path: str) -> Any:
        """The member at a dotted path of the whole request, or None."""
        return _walk(self.job, path)

    def has(self, path: str) -> bool:
        """Whether a member is there and says something: false, 0 and empty lists do not."""
        return bool(self[path])


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        path: The member that is named when it is broken, below ``each`` where that is given.
        breaks: Whether a structure breaks it.
        constraint: What the member fails to satisfy.
        sentence: Said instead, where SageMaker says something else.
        each: A list of structures at this path of the request: the rule is about each of them.
    """

    path: str
    breaks: Callable[[Node], bool]
    constraint: str = ""
    sentence: str = ""
    each: str = ""


def find_broken(rules: Iterable[Rule], request: Mapping[str, Any]) -> list[str]:
    """Says of every rule that a request breaks what is wrong, in the rules' order.

    Args:
        rules: All of them.
        request: With types that the model allows; any member may be missing.
    """
    return [_render(rule, node) for rule in rules for node in _list_nodes(rule, request) if rule.breaks(node)]


def _list_nodes(rule: Rule, request: Mapping[str, Any]) -> Iterator[Node]:
    if not rule.each:
        yield Node(request, request)
        return
    for number, item in enumerate(_walk(request, rule.each) or (), 1):
        if item is not None:  # the model refuses that
            yield Node(request, item, f"{camel_path(rule.each)}.{number}.member")


def _render(rule: Rule, node: Node) -> str:
    path = camel_path(rule.path)
    where = f"{node.path}.{path}" if node.path else path
    if rule.sentence:
        return rule.sentence.format(value=node[rule.path], path=where)
    return violation(node[rule.path], where, rule.constraint)


def _walk(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def repeated(each: str, key: str) -> Callable[[Node], bool]:
    """Whether an item's key is also another item's."""

    def is_repeated(node: Node) -> bool:
        counts = Counter(item.get(key) for item in node.of_job(each) if item is not None)
        return counts[node[key]] > 1

    return is_repeated
