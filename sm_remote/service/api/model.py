"""The API's shapes, read from botocore's service models: which operations there are, and what a request may hold.

botocore's own validator checks types, required members and minimum lengths only; here patterns, maxima and enums are
checked too, with the wording of AWS's services.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import botocore.loaders
import botocore.model

from sm_remote.service.api.errors import ApiError, violated

Shape = botocore.model.Shape

_NOT_NULL = "Member must not be null"
_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
    "blob": (str,),
}


@functools.cache
def load_model(service: str) -> botocore.model.ServiceModel:
    """Loads a service's newest model (``sagemaker``, ``logs``)."""
    description = botocore.loaders.Loader().load_service_model(service, "service-2")
    return botocore.model.ServiceModel(description, service)


def find_input_shape(service: str, operation: str) -> botocore.model.StructureShape:
    """The shape of an operation's request.

    Raises:
        KeyError: The service has no such operation.
    """
    model = load_model(service)
    if operation not in model.operation_names:
        raise KeyError(operation)
    shape = model.operation_model(operation).input_shape
    if not isinstance(shape, botocore.model.StructureShape):
        raise KeyError(operation)
    return shape


def check_request(
    shape: botocore.model.StructureShape,
    request: dict[str, Any],
    find_broken_rules: Callable[[Mapping[str, Any]], Sequence[str]] = lambda request: (),
) -> None:
    """Refuses a request that the model does not allow; members that the model does not know are ignored, as AWS does.

    Args:
        shape: The request's.
        request: As it came.
        find_broken_rules: Says what else is wrong with a request, of which only the types are known to be right.

    Raises:
        ApiError: ``SerializationException`` for a wrong type, ``ValidationException`` that tells all other violations.
    """
    _check_types(shape, request, "")
    found: list[str] = []
    _collect(shape, request, "", found)
    found.extend(find_broken_rules(request))
    if found:
        raise violated(found)


def violation(value: Any, path: str, constraint: str) -> str:
    """One violation in the words of AWS's services.

    Args:
        value: What the member is; None where it is missing.
        path: Such as ``inputDataConfig.1.member.channelName``.
        constraint: What it fails to satisfy.
    """
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def camel_path(path: str) -> str:
    """A path of members as messages spell it: ``resourceConfig.instanceType``."""
    return ".".join(name[:1].lower() + name[1:] for name in path.split("."))


def _check_types(shape: Any, value: Any, path: str) -> None:
    if value is None:
        return
    if not _has_type(value, _TYPES[shape.type_name]):
        raise ApiError("SerializationException", f"{path or 'The request'} must be of type {shape.type_name}.")
    if isinstance(value, str) and not _is_unicode(value):
        raise ApiError("SerializationException", f"{path} is not valid Unicode.")
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            _check_types(member, value.get(name), _join(path, name))
    elif shape.type_name == "list":
        for index, item in enumerate(value, 1):
            _check_types(shape.member, item, f"{path}.{index}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            _check_types(shape.key, key, f"{path}.key")
            _check_types(shape.value, item, f"{path}.{key}.member")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _has_type(value: Any, expected: tuple[type, ...]) -> bool:
    # To Python a boolean is a number; to the API it is none.
    return isinstance(value, expected) and (not isinstance(value, bool) or bool in expected)


def _collect(shape: Any, value: Any, path: str, found: list[str]) -> None:
    if shape.type_name == "map":
        _collect_map(shape, value, path, found)
        return
    rules = _broken_rules(shape, value)
    found.extend(violation(value, path, rule) for rule in rules)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            _collect_member(shape, name, member, value, path, found)
    elif shape.type_name == "list":
        for index, item in enumerate(value, 1):
            if item is None:
                found.append(violation(None, f"{path}.{index}.member", _NOT_NULL))
            else:
                _collect(shape.member, item, f"{path}.{index}.member", found)


def _collect_member(shape: Any, name: str, member: Any, value: Any, path: str, found: list[str]) -> None:
    inner = _join(path, name)
    if value.get(name) is not None:
        _collect(member, value[name], inner, found)
    elif name in shape.required_members:
        found.append(violation(None, inner, _NOT_NULL))


def _collect_map(shape: Any, value: Any, path: str, found: list[str]) -> None:
    def report(rule: str) -> None:
        found.append(violation(value, path, rule))

    for rule in _length_rules(shape, len(value)):
        report(rule)
    if any(_broken_rules(shape.key, key) for key in value):
        report(f"Map keys must satisfy constraint: [{', '.join(_all_rules(shape.key))}]")
    if any(item is None or _broken_rules(shape.value, item) for item in value.values()):
        report(f"Map value must satisfy constraint: [{', '.join(_all_rules(shape.value))}]")


def _broken_rules(shape: Any, value: Any) -> list[str]:
    if shape.type_name in ("integer", "long", "float", "double"):
        return _range_rules(shape, value)
    if shape.type_name not in ("string", "list"):
        return []
    if shape.type_name == "string" and shape.enum:
        return [] if value in shape.enum else [_enum_rule(shape)]
    broken = _length_rules(shape, len(value))
    pattern = shape.metadata.get("pattern")
    if pattern and shape.type_name == "string" and not compile_pattern(pattern).fullmatch(value):
        broken.append(f"Member must satisfy regular expression pattern: {pattern}")
    return broken


def _all_rules(shape: Any) -> list[str]:
    """Every rule that a map's keys or values have, as AWS lists them all when one is broken."""
    limits = shape.metadata
    rules = []
    if "max" in limits:
        rules.append(f"Member must have length less than or equal to {limits['max']}")
    if "min" in limits:
        rules.append(f"Member must have length greater than or equal to {limits['min']}")
    if "pattern" in limits:
        rules.append(f"Member must satisfy regular expression pattern: {limits['pattern']}")
    return rules


def _length_rules(shape: Any, length: int) -> list[str]:
    limits = shape.metadata
    if "max" in limits and length > limits["max"]:
        return [f"Member must have length less than or equal to {limits['max']}"]
    if "min" in limits and length < limits["min"]:
        return [f"Member must have length greater than or equal to {limits['min']}"]
    return []


def _range_rules(shape: Any, value: float) -> list[str]:
    limits = shape.metadata
    if "max" in limits and value > limits["max"]:
        return [f"Member must have value less than or equal to {limits['max']}"]
    if "min" in limits and value < limits["min"]:
        return [f"Member must have value greater than or equal to {limits['min']}"]
    return []


def _enum_rule(shape: Any) -> str:
    return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"


@functools.cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles a pattern of the model, which is written for Java: its Unicode classes have no name in Python."""
    for java, python in ((r"\p{L}", r"\w"), (r"\p{N}", r"\w"), (r"\p{Z}", r"\s"), (r"\p{Alnum}", "A-Za-z0-9")):
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _join(path: str, name: str) -> str:
    camel = camel_path(name)
    return f"{path}.{camel}" if path else camel
