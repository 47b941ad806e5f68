"""What a notebook's metadata may carry: it is committed and sent around, so it holds nothing of an account or a secret.

Such settings belong into the user's own file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.settings.input_kinds import list_local
from sm_remote.settings.schema import check_values

PRIVATE = {
    "role": "It names an account and a role in it.",
    "environment_variables": "Their values may be secrets.",
    "s3_root_uri": "It names a bucket of yours.",
    "s3_kms_key": "It names a key of yours.",
    "volume_kms_key": "It names a key of yours.",
    "subnets": "They are of a network of yours.",
    "security_group_ids": "They are of a network of yours.",
    "bucket_owner": "It names an AWS account.",
}
_ACCOUNT = re.compile(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])")


def explain_private(name: str, value: Any) -> str | None:
    """Why a setting may not travel in a notebook, or None where it may."""
    if name in PRIVATE:
        return PRIVATE[name]
    if name == "inputs" and isinstance(value, Mapping) and list_local(value):
        return f"The channel {list_local(value)[0]!r} names what is on this machine alone; data of a notebook is in S3."
    if _ACCOUNT.search(json.dumps(value, default=str)):
        return "It names an AWS account."
    return None


def check_notebook_values(values: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """`schema.check_values` for what a notebook says: it means the same wherever the notebook is opened.

    Raises:
        ConfigError: A name is unknown, a value is not accepted, or it names what is on one machine alone.
    """
    checked = check_values(values, origin=origin)
    local = list_local(checked.get("inputs", {}))
    if local:
        raise ConfigError(
            f"{origin} gives the channel {local[0]!r} a local path.",
            why="A notebook is opened on other machines too, where the path is not there or holds something else.",
            fix="Give an s3:// URI there, or the path in code: @remote(inputs={...}).",
            name="inputs",
            origin=origin,
        )
    return checked
