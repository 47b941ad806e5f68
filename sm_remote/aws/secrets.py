"""The values of a local job's secrets: read where the job is submitted, and given to the local service.

They are read anew for each job and kept nowhere: a job that is submitted later, or again, has what holds then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from sm_remote.errors import ConfigError
from sm_remote.wire.secret import MOST_BYTES, SecretReference, find_references, parse_reference, pick_value


def read_values(
    references: Mapping[str, str],
    *,
    environ: Mapping[str, str] = os.environ,
    make_client: Callable[[str | None], Any] | None = None,
) -> dict[str, str]:
    """Reads the values of secrets.

    Args:
        references: ``env:NAME`` or ``secretsmanager:NAME[#key]``, by the secrets' names.
        environ: Where variables are looked for.
        make_client: Makes a client of Secrets Manager for a region, or for that of the AWS configuration.

    Raises:
        ConfigError: One cannot be read; the error shows nothing of it.
    """
    texts: dict[str, str] = {}
    values = {}
    for name, text in references.items():
        reference = _parse(name, text)
        if reference.variable:
            values[name] = _read_variable(name, reference.variable, environ)
            continue
        if reference.secret_id not in texts:
            client = (make_client or open_secrets_manager)(reference.region)
            texts[reference.secret_id] = _fetch(name, reference, client)
        try:
            values[name] = pick_value(texts[reference.secret_id], reference.key)
        except ValueError as error:
            raise _refuse(name, f"secretsmanager:{reference.secret_id}: {error}") from None
    if len(json.dumps(values)) >= MOST_BYTES:
        raise ConfigError(
            f"The secrets of the job are too large: together they may have less than {MOST_BYTES} bytes.",
            fix="Keep large ones in Secrets Manager or S3, and read them in the function.",
        )
    return values


def read_request_values(request: Mapping[str, Any]) -> dict[str, str]:
    """The values of the secrets that a CreateTrainingJob request refers to; nothing where it refers to none.

    Raises:
        ConfigError: One cannot be read.
    """
    return read_values(find_references(request.get("Environment") or {}))


def check_variables(references: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> None:
    """Looks whether the variables that secrets refer to are set.

    Raises:
        ConfigError: One is not.
    """
    for name, text in references.items():
        variable = _parse(name, text).variable
        if variable:
            _read_variable(name, variable, environ)


def open_secrets_manager(region: str | None) -> Any:
    """A client by the user's own AWS configuration: the local service has no secrets."""
    import boto3

    return boto3.session.Session().client("secretsmanager", region_name=region)


def _parse(name: str, text: str) -> SecretReference:
    try:
        return parse_reference(text)
    except ValueError as error:
        raise _refuse(name, f"its reference is {error}") from None


def _read_variable(name: str, variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable)
    if not value:
        raise ConfigError(
            f"The secret {name} has no value: the environment variable {variable} is not set here; nothing was sent.",
            fix=f"Set it before this process starts, or here: os.environ[{variable!r}] = getpass.getpass().",
            name=name,
        )
    return value


def _fetch(name: str, reference: SecretReference, client: Any) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = client.get_secret_value(SecretId=reference.secret_id)
    except (BotoCoreError, ClientError) as error:
        raise _refuse(name, f"{type(error).__name__}: {error}") from None
    if "SecretString" not in answer:
        raise _refuse(name, "it is binary, and a variable holds text")
    return str(answer["SecretString"])


def _refuse(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"The secret {name} cannot be read; nothing was sent.",
        why=f"{why}.",
        fix="A local job's secrets are read here, under your own credentials: `aws secretsmanager get-secret-value` "
        "shows whether they may.",
        name=name,
    )
