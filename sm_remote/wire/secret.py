"""How a job is told of a secret: by a reference in its request, and by the value in a place that keeps nothing.

The request has a variable ``SM_REMOTE_SECRET_<NAME>`` for each, whose text says where the value is. The local service
gives the values by a pipe, once; on SageMaker the job reads them itself. Only in the function's process do they become
variables, so neither the request nor ``docker inspect`` shows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sm_remote.wire.layout import SECRET_PREFIX

MOST_BYTES = 32 << 10
"""What all values of a job may have together: less than a pipe holds, so that nobody waits for a reader."""

_ENV = "env:"
_SECRETS_MANAGER = "secretsmanager:"
REFERENCE_PATTERN = r"env:[A-Za-z_][A-Za-z0-9_]*|secretsmanager:[A-Za-z0-9/_+=.@:\-]{1,400}(#[^#\s]{1,100})?"
"""Source: API_CreateSecret, Name; API_GetSecretValue, SecretId, which may be an ARN."""
_ARN = re.compile(r"arn:[\w\-]+:secretsmanager:([\w\-]+):\d+:secret:.+")


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretReference:
    """Where a value is.

    Attributes:
        variable: The environment variable of the submitting process; empty for a secret of Secrets Manager.
        secret_id: Its name or ARN in Secrets Manager; empty for a variable.
        key: Whose value of the secret's JSON is meant; empty for the whole text.
    """

    variable: str = ""
    secret_id: str = ""
    key: str = ""

    @property
    def region(self) -> str | None:
        """That of the secret's ARN; None where a name leaves it open."""
        found = _ARN.fullmatch(self.secret_id)
        return found[1] if found else None


def parse_reference(text: str) -> SecretReference:
    """Reads ``env:NAME`` or ``secretsmanager:NAME[#key]``.

    Raises:
        ValueError: It is neither; the error does not show it, as it may be the secret itself.
    """
    if not re.fullmatch(REFERENCE_PATTERN, text):
        raise ValueError("neither env:NAME nor secretsmanager:NAME[#key]")
    if text.startswith(_ENV):
        return SecretReference(variable=text.removeprefix(_ENV))
    secret_id, _, key = text.removeprefix(_SECRETS_MANAGER).partition("#")
    return SecretReference(secret_id=secret_id, key=key)


def name_references(references: Mapping[str, str]) -> dict[str, str]:
    """The variables of a request that say where each secret's value is."""
    return {f"{SECRET_PREFIX}{name}": text for name, text in references.items()}


def find_references(environment: Mapping[str, str]) -> dict[str, str]:
    """The references in a request's or a process's variables, by the names of the secrets."""
    return {
        name.removeprefix(SECRET_PREFIX): text
        for name, text in environment.items()
        if name.startswith(SECRET_PREFIX) and name != SECRET_PREFIX
    }


def pick_value(text: str, key: str) -> str:
    """The value out of a secret's text: all of it, or a key's of its JSON.

    Raises:
        ValueError: It is no JSON object, or has no such key; the error shows nothing of it.
    """
    if not key:
        return text
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object") from None
    if key not in content:
        raise ValueError(f"its JSON has no key {key!r}")
    value = content[key]
    return value if isinstance(value, str) else json.dumps(value)
