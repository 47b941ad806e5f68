"""The kind of the setting ``inputs``: channels by name, in any of the forms that data can have."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traitlets import TraitError

from sm_remote.inputs import TrainingInput, is_remote, read_input
from sm_remote.settings.kinds import Kind

_NAME = re.compile(r"(?!sm_remote(_layer)?$|\.{1,2}$)[A-Za-z0-9.\-_]{1,64}")
MOST_CHANNELS = 18
"""Two of SageMaker's twenty are ours. Source: API_CreateTrainingJob, InputDataConfig."""


class Inputs(Kind):
    """Data by channel name. Whether a path is there is seen when a call is made, and what it holds is read then."""

    accepts = (
        "a dict or table by channel name (1 to 64 letters, digits, . - _; not sm_remote or sm_remote_layer) of s3:// "
        "URIs, local paths, DataFrames, arrays, TrainingInput(...) or FileSystemInput(...)"
    )

    def __init__(self, *, help: str) -> None:
        super().__init__(help=help)

    def make_dynamic_default(self) -> dict[str, Any]:
        """What traitlets calls for the default: a mapping of its own for everyone."""
        return {}

    def _check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise TraitError(f"Its type is {type(value).__name__}")
        if len(value) > MOST_CHANNELS:
            raise TraitError(f"There are {len(value)} channels, and a job can have {MOST_CHANNELS}")
        for name, item in value.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise TraitError(f"The name {name!r:.80} is not allowed")
            try:
                read_input(item)
            except ValueError as error:
                raise TraitError(f"The channel {name!r} cannot be so: {error}") from error
        return dict(value)

    def _read_text(self, text: str) -> Any:
        return json.loads(text)


def list_local(inputs: Mapping[str, Any]) -> list[str]:
    """The channels whose data is not in S3 or in a file system of the account, and so on this machine alone."""
    return [name for name, item in inputs.items() if _is_local(item)]


def _is_local(item: Any) -> bool:
    found = read_input(item)
    return isinstance(found, TrainingInput) and not is_remote(found.s3_data)


def anchor_paths(inputs: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """The inputs of a file, with its relative paths taken from the file's own directory."""
    return {name: _anchor(item, directory) for name, item in inputs.items()}


def _anchor(item: Any, directory: Path) -> Any:
    if isinstance(item, Mapping) and "s3_data" in item:
        return {**item, "s3_data": _anchor(item["s3_data"], directory)}
    if not isinstance(item, str) or is_remote(item) or item.startswith("file://"):
        return item
    return str(directory / os.path.expanduser(item))
