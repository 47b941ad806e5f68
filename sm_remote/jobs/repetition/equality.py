"""Whether two values are the same to the last bit: also arrays, tensors, and objects that define no equality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

_MOST_MEMBERS = 5
_MOST_CHARACTERS = 200
_OWN_WAYS = ("__reduce_ex__", "__reduce__", "__getstate__")
"""With one of these of its own a type says itself what it is made of."""


def are_equal(one: Any, other: Any) -> bool:
    """Compares type, structure and content; NaN equals NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(are_equal(one[key], other[key]) for key in one)
    if isinstance(one, (str, bytes, bytearray, int, bool, type(None))):
        return bool(one == other)
    if isinstance(one, float):
        return bool(one.hex() == other.hex())
    if isinstance(one, Set):
        return bool(one == other)
    if isinstance(one, Sequence):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if _is_plain(one):
        return are_equal(vars(one), vars(other))
    return _pickle(one) == _pickle(other)


def tell_apart(expected: Any, value: Any) -> str:
    """Says in what two values differ: of mappings, such as files and their digests, in which of their members."""
    if isinstance(expected, Mapping) and isinstance(value, Mapping):
        keys = dict.fromkeys([*expected, *value])
        both = expected.keys() & value.keys()
        apart = [key for key in keys if key not in both or not are_equal(expected[key], value[key])]
        if apart:
            words = "; ".join(_tell_member(key, expected, value) for key in apart[:_MOST_MEMBERS])
            return f"{len(apart)} of {len(keys)} differ: {words}{'; ...' if len(apart) > _MOST_MEMBERS else ''}."
    return f"Uninterrupted {_show(expected)}; interrupted {_show(value)}."


def _tell_member(key: Any, expected: Mapping[Any, Any], value: Mapping[Any, Any]) -> str:
    if key not in value:
        return f"{key} is missing when interrupted"
    if key not in expected:
        return f"{key} is there only when interrupted"
    return f"{key} ({_show(expected[key])}; interrupted {_show(value[key])})"


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."


def _is_plain(value: Any) -> bool:
    """Whether an object is no more than its attributes: pickle would take these and nothing else."""
    kind = type(value)
    if not hasattr(value, "__dict__") or isinstance(value, type) or callable(value):
        return False
    return all(getattr(kind, name, None) is getattr(object, name, None) for name in _OWN_WAYS)


def _pickle(value: Any) -> bytes:
    """Whatever makes up an object: arrays and tensors by their memory, others by what pickle keeps of them."""
    import io

    from sm_remote.wire.payload import pickle_value

    file = io.BytesIO()
    pickle_value(value, file)
    return file.getvalue()
