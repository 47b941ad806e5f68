"""The two kinds of manifests that name a channel's objects. Pure.

Source: API_S3DataSource (S3DataType); SageMaker Developer Guide, "Augmented Manifest Files for Training Jobs".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sm_remote.service.storage.objects import ObjectError, ObjectUri, parse_uri

_REFERENCE = "-ref"
"""The end of an attribute's name whose value is the URI of an object."""

Part = bytes | ObjectUri
"""A piece of a record: as it is, or an object's content."""


def parse_manifest(content: bytes) -> tuple[ObjectUri, list[str]]:
    """Reads a ManifestFile: the prefix, and what follows it in each key.

    Raises:
        ObjectError: It is none.
    """
    try:
        first, *paths = json.loads(content)
        prefix = parse_uri(str(first["prefix"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ObjectError(f'the manifest is not a JSON array that begins with {{"prefix": ...}}: {error}') from error
    if not all(isinstance(path, str) for path in paths):
        raise ObjectError("the manifest lists something that is not a string")
    return prefix, paths


def parse_augmented_manifest(content: bytes, attribute_names: Sequence[str]) -> Iterator[tuple[Part, ...]]:
    """Reads an AugmentedManifestFile: for each line the chosen attributes, in the order of their names in the request.

    Raises:
        ObjectError: A line is no JSON object, or lacks an attribute.
    """
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            yield tuple(_read_attribute(name, record[name]) for name in attribute_names)
        except (ValueError, TypeError, RecursionError) as error:
            raise ObjectError(f"line {number} of the augmented manifest cannot be read: {error}") from error
        except KeyError as error:
            raise ObjectError(f"line {number} of the augmented manifest has no attribute {error}") from error


def _read_attribute(name: str, value: Any) -> Part:
    if name.endswith(_REFERENCE):
        return parse_uri(str(value))
    return (value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode()
