"""What a notebook's metadata may carry: it is committed and sent around, so it holds nothing of an account or a secret.

Such settings belong into the user's own file.
"""

from __future__ import annotations

import json
import re
from typing import Any

PRIVATE = {
    "role": "It names an account and a role in it.",
    "environment_variables": "Their values may be secrets.",
    "s3_root_uri": "It names a bucket of yours.",
    "s3_kms_key": "It names a key of yours.",
    "volume_kms_key": "It names a key of yours.",
    "subnets": "They are of a network of yours.",
    "security_group_ids": "They are of a network of yours.",
}
_ACCOUNT = re.compile(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])")


def explain_private(name: str, value: Any) -> str | None:
    """Why a setting may not travel in a notebook, or None where it may."""
    if name in PRIVATE:
        return PRIVATE[name]
    if _ACCOUNT.search(json.dumps(value, default=str)):
        return "It names an AWS account."
    return None
