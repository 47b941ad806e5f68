"""Checks a request against botocore's service model, including what botocore itself does not check.

botocore looks at types, required members and minimum lengths; patterns, maxima and enums are left to the service, which
would mean an error after the upload. The limits are read from the model, never typed in.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape


@cache
def _find_operation(name: str) -> OperationModel:
    from botocore.session import get_session  # a twelfth of a second that only a first call has to wait for

    return get_session().get_service_model("sagemaker").operation_model(name)


@cache
def list_members(operation: str) -> tuple[str, ...]:
    """The members that a request may have."""
    shape = _find_operation(operation).input_shape
    return tuple(shape.members) if shape is not None else ()


def check_request(operation: str, request: dict[str, Any]) -> list[str]:
    """Lists what the service would refuse, one sentence a problem; empty when all is well."""
    shape = _find_operation(operation).input_shape
    problems: list[str] = []
    if shape is not None:
        _check(shape, request, "", problems)
    return problems


def _check(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    kind = shape.type_name
    if kind == "structure":
        _check_structure(cast("StructureShape", shape), value, path, problems)
    elif kind == "list":
        _check_size(shape, len(value), path, "items", problems)
        for index, item in enumerate(value):
            _check(cast("ListShape", shape).member, item, f"{path}[{index}]", problems)
    elif kind == "map":
        _check_size(shape, len(value), path, "entries", problems)
        pair = cast("MapShape", shape)
        for key, item in value.items():
            _check(pair.key, key, f"{path} key", problems)
            _check(pair.value, item, f"{path}[{key!r}]", problems)
    elif kind == "string":
        _check_string(cast("StringShape", shape), value, path, problems)
    elif kind in ("integer", "long", "float", "double"):
        _check_size(shape, value, path, "", problems)


def _check_structure(shape: StructureShape, value: Any, path: str, problems: list[str]) -> None:
    for name in shape.required_members:
        if name not in value:
            problems.append(f"{_join(path, name)} is required.")
    for name, item in value.items():
        if name not in shape.members:
            problems.append(f"{_join(path, name)} is not a member of the API.")
        else:
            _check(shape.members[name], item, _join(path, name), problems)


def _check_string(shape: StringShape, value: Any, path: str, problems: list[str]) -> None:
    if not isinstance(value, str):
        problems.append(f"{path} must be a string, not {type(value).__name__}.")
        return
    _check_size(shape, len(value), path, "characters", problems)
    pattern = shape.metadata.get("pattern")
    if pattern and not _compile(pattern).fullmatch(value):
        problems.append(f"{path} is {_shorten(value)}, which does not fit the pattern {pattern}.")
    if shape.enum and value not in shape.enum:
        problems.append(f"{path} is {_shorten(value)}, which is none of the API's values.")


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    # The model writes Java's \p{...} classes, which `re` lacks; they stand for "any letter, space or digit" in tags.
    pattern = pattern.replace(r"\p{Alnum}", "a-zA-Z0-9")
    return re.compile(re.sub(r"\\p\{[LNZ]\}", r"\\w\\s", pattern))


def _check_size(shape: Shape, size: float, path: str, unit: str, problems: list[str]) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    text = f"{size} {unit}".strip()
    if least is not None and size < least:
        problems.append(f"{path} has {text}; at least {least} is required.")
    if most is not None and size > most:
        problems.append(f"{path} has {text}; at most {most} is allowed.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shorten(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:77] + "...")
