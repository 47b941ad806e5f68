"""The kinds of values that are spelled into a request as the API spells them: lists, structures, instance groups.

Their form is checked here; whether the API has such a member and accepts its value, the whole request tells before
anything is sent (`aws.constraints`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from traitlets import TraitError

from sm_remote.settings.kinds import Kind

_GROUP_MEMBERS = {
    "InstanceGroupName": "instance_group_name",
    "InstanceType": "instance_type",
    "InstanceCount": "instance_count",
}


class TextList(Kind):
    """Texts of a pattern, without repetitions; a variable has them as JSON or with commas between them."""

    def __init__(self, accepts: str, *, help: str, pattern: str) -> None:
        super().__init__((), help=help)
        self.accepts = accepts
        self._pattern = re.compile(pattern)

    def _check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise TraitError(f"Its type is {type(value).__name__}")
        for item in value:
            if not isinstance(item, str) or not self._pattern.fullmatch(item):
                raise TraitError(f"{item!r:.80} is not of the form that is wanted")
        if len(set(value)) < len(value):
            raise TraitError("One of them is there twice")
        return tuple(value)

    def _read_text(self, text: str) -> Any:
        return json.loads(text) if text.lstrip().startswith("[") else [item.strip() for item in text.split(",")]


class Structure(Kind):
    """A structure of the API, or any part of a request, in the API's own spelling."""

    def __init__(self, accepts: str, *, help: str, members: Sequence[str] = ()) -> None:
        super().__init__(help=help)
        self.accepts = accepts
        self._members = tuple(members)

    def make_dynamic_default(self) -> dict[str, Any]:
        """What traitlets calls for the default: a mapping of its own for everyone."""
        return {}

    def _check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise TraitError(f"Its type is {type(value).__name__}")
        for name in value:
            if self._members and name not in self._members:
                raise TraitError(f"It has no member {name!r:.80}, but {', '.join(self._members)}")
        plain = _copy_plain(value, "")
        assert isinstance(plain, dict)  # noqa: S101 - a mapping was copied
        return plain

    def _read_text(self, text: str) -> Any:
        return json.loads(text)


class InstanceGroups(Kind):
    """Machines of several types in one job, as the API spells them or as the SageMaker SDK's InstanceGroup."""

    accepts = 'a list of {"InstanceGroupName": ..., "InstanceType": ..., "InstanceCount": ...}'

    def __init__(self, *, help: str) -> None:
        super().__init__((), help=help)

    def _check(self, value: Any) -> tuple[dict[str, Any], ...]:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            raise TraitError(f"Its type is {type(value).__name__}")
        groups = tuple(_read_group(item) for item in value)
        if len({group["InstanceGroupName"] for group in groups}) < len(groups):
            raise TraitError("Two of them have one name")
        return groups

    def _read_text(self, text: str) -> Any:
        return json.loads(text)


def _read_group(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        item = {member: getattr(item, name, None) for member, name in _GROUP_MEMBERS.items()}
    if set(item) != set(_GROUP_MEMBERS):
        raise TraitError(f"One of them has other members than {', '.join(_GROUP_MEMBERS)}")
    name, instance_type, count = (item[member] for member in _GROUP_MEMBERS)
    if not isinstance(name, str) or not name or not isinstance(instance_type, str):
        raise TraitError("The name or the type of one is no text")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise TraitError(f"The group {name!r:.80} has no number of instances from 1 on")
    return {"InstanceGroupName": name, "InstanceType": instance_type, "InstanceCount": count}


def _copy_plain(value: Any, path: str) -> Any:
    """A copy of what JSON can say; numbers, bools and None as they are."""
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) and name for name in value):
            raise TraitError(f"A name in {path or 'it'} is no text")
        return {name: _copy_plain(item, f"{path}.{name}".lstrip(".")) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TraitError(f"{path or 'It'} is a {type(value).__name__}")
