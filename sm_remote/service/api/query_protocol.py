"""AWS's query protocol: a request as a form, an answer as XML, both by the model's shapes. Pure.

CloudWatch's clients of before 2025 speak it. Source: Smithy, "AWS query protocol".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from xml.sax.saxutils import escape

import botocore.model
import botocore.utils

from sm_remote.service.api.errors import ApiError

_NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"
_Tree = dict[str, Any]


def parse_form(shape: botocore.model.StructureShape, form: Mapping[str, str]) -> dict[str, Any]:
    """Reads a request, such as ``Dimensions.member.1.Name=Host``, into what its JSON would be.

    Raises:
        ApiError: ``MalformedInput``; a value does not read as its type.
    """
    tree: _Tree = {}
    for name, value in form.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            inner = node.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise _refuse(name)
            node = inner
        node.setdefault(last, value)
    found = _read(shape, tree, "")
    return found if isinstance(found, dict) else {}


def render_answer(action: str, shape: botocore.model.Shape | None, body: Mapping[str, Any], *, request_id: str) -> str:
    """Writes an answer.

    Args:
        action: The operation's name.
        shape: Of the answer.
        body: What its JSON would be.
        request_id: Of the request.
    """
    result = "" if shape is None else _write(shape, body)
    return (
        f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )


def _read(shape: Any, node: Any, path: str) -> Any:
    if shape.type_name == "structure" and isinstance(node, dict):
        return {name: _read(member, node[name], name) for name, member in shape.members.items() if name in node}
    if shape.type_name == "list":
        if node == "":
            return []  # what an empty list is written as
        items = node.get("member") if isinstance(node, dict) else None
        if not isinstance(items, dict) or not all(number.isascii() and number.isdigit() for number in items):
            raise _refuse(path)
        return [_read(shape.member, items[number], path) for number in sorted(items, key=int)]
    if not isinstance(node, str) or shape.type_name in ("structure", "map"):
        raise _refuse(path)
    try:
        return _READERS.get(shape.type_name, str)(node)
    except (ValueError, OverflowError):
        raise _refuse(path) from None


def _read_boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _read_timestamp(text: str) -> float:
    return float(botocore.utils.parse_to_aware_datetime(text).timestamp())


_READERS: Mapping[str, Any] = {
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": _read_boolean,
    "timestamp": _read_timestamp,
}


def _write(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(
            f"<{name}>{_write(member, value[name])}</{name}>"
            for name, member in shape.members.items()
            if value.get(name) is not None
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_write(shape.member, item)}</member>" for item in value)
    if shape.type_name == "map":
        return "".join(
            f"<entry><key>{escape(key)}</key><value>{_write(shape.value, item)}</value></entry>"
            for key, item in value.items()
        )
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, timezone.utc).isoformat().replace("+00:00", "Z")
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return escape(str(value))


def _refuse(path: str) -> ApiError:
    return ApiError("MalformedInput", f"The value of {path} cannot be read.")
