"""The secrets of a job: taken from the local service's pipe, or read from Secrets Manager, and kept in memory alone.

They become environment variables of the function's own process when its packages can be imported: reading them may
need boto3, which may be one of these. So neither pre-execution commands nor an installer see them. What the function
prints of them is covered in its log, which is a courtesy and no boundary: it can print them in another form.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from sm_remote.errors import JobFailed
from sm_remote.runtime.streams import cover_output
from sm_remote.wire.layout import SECRET_PREFIX, SECRETS_FILE, ml_path
from sm_remote.wire.secret import MOST_BYTES, SecretReference, find_references, parse_reference, pick_value

_HELD_VARIABLE = "SM_REMOTE_HELD_SECRETS"
"""Passes values on to the ranks that mpirun starts, which are no forks of the one process that could read the pipe."""
_SHORTEST_COVERED = 8
COVER = b"***"

_held: dict[str, str] = {}
_covered: list[str] = []


def take_secrets(environ: Mapping[str, str] = os.environ) -> None:
    """Reads what the local service gives; on SageMaker there is nothing to read yet. For the first process alone.

    Raises:
        JobFailed: The service that was given the values has ended.
    """
    references = find_references(environ)
    path = ml_path("input", "config", SECRETS_FILE)
    if not references or not os.path.exists(path):
        return
    values = _read_once(path)
    missing = sorted(set(references) - set(values))
    if missing:
        raise JobFailed(
            f"The secrets {', '.join(missing)} cannot be had, so nothing was run.",
            why="The local training service was given their values in memory alone, and has ended since.",
            fix="Submit the job again.",
        )
    _held.update({name: values[name] for name in references})


def pass_on(environ: MutableMapping[str, str] = os.environ) -> None:
    """Leaves the values to processes that this one will start, where those are the function's ranks."""
    if _held:
        environ[_HELD_VARIABLE] = json.dumps(_held)


def take_up(environ: MutableMapping[str, str] = os.environ) -> None:
    """In the function's process: takes what `pass_on` left away from whatever it starts itself."""
    left = environ.pop(_HELD_VARIABLE, None)
    if left is not None:
        _held.update(json.loads(left))


def reveal_secrets(
    environ: MutableMapping[str, str] = os.environ, *, load: Callable[[str], Any] = importlib.import_module
) -> None:
    """Makes the secrets variables of this process, in the place of their references.

    Args:
        environ: Where to.
        load: Imports boto3.

    Raises:
        JobFailed: One cannot be read; the error shows nothing of it.
    """
    references = find_references(environ)
    fetch = _Reader(load, environ)
    for name, text in references.items():
        environ[name] = _held[name] if name in _held else fetch.read(name, text)
        del environ[f"{SECRET_PREFIX}{name}"]
        _cover(environ[name])
    _held.clear()
    cover_output(cover_bytes)


def cover_bytes(content: bytes) -> bytes:
    """What is written to the log, without the secrets that this process knows."""
    for value in _covered:
        content = content.replace(value.encode("utf-8", "surrogateescape"), COVER)
    return content


def cover_text(text: str) -> str:
    """The same for a text."""
    return cover_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _cover(value: str) -> None:
    # Lines of a key in several come one by one.
    for part in {value, *value.splitlines()}:
        if len(part) >= _SHORTEST_COVERED and part not in _covered:
            _covered.append(part)
    _covered.sort(key=len, reverse=True)


def _read_once(path: str) -> dict[str, str]:
    """What is in the pipe; nothing where its other end is gone, or where somebody has read it before."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    content = b""
    try:
        while not content.endswith(b"\n"):
            piece = os.read(descriptor, MOST_BYTES)
            if not piece:
                break
            content += piece
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
    with suppress(OSError):  # a file, where no pipe leads into containers; it may be another user's
        os.unlink(path)
    if not content.endswith(b"\n"):
        return {}
    values: dict[str, str] = json.loads(content)
    return values


class _Reader:
    """Reads Secrets Manager under the job's role, each secret once."""

    def __init__(self, load: Callable[[str], Any], environ: Mapping[str, str]) -> None:
        self._load = load
        self._environ = environ
        self._clients: dict[str | None, Any] = {}
        self._texts: dict[str, str] = {}

    def read(self, name: str, text: str) -> str:
        """The value of a secret.

        Raises:
            JobFailed: It cannot be read.
        """
        try:
            reference = parse_reference(text)
        except ValueError as error:
            raise _refuse(name, str(error)) from None
        if not reference.secret_id:
            raise _refuse(name, "it is a variable of the process that submitted the job, which only local jobs get")
        if reference.secret_id not in self._texts:
            self._texts[reference.secret_id] = self._fetch(name, reference)
        try:
            return pick_value(self._texts[reference.secret_id], reference.key)
        except ValueError as error:
            raise _refuse(name, str(error)) from None

    def _fetch(self, name: str, reference: SecretReference) -> str:
        client = self._client(name, reference.region or find_region(self._environ))
        try:
            answer = client.get_secret_value(SecretId=reference.secret_id)
        except Exception as error:  # noqa: BLE001 - botocore's, which is not ours to import
            raise _refuse(
                name,
                f"{type(error).__name__}: {error}",
                "Give the job's role secretsmanager:GetSecretValue on it (`sm-remote iam`), and kms:Decrypt where it "
                "has a key of its own; in a VPC without a way out it needs an endpoint of Secrets Manager.",
            ) from None
        if "SecretString" in answer:
            return str(answer["SecretString"])
        try:
            return bytes(answer["SecretBinary"]).decode()
        except UnicodeDecodeError:
            raise _refuse(name, "it is binary, and a variable holds text") from None

    def _client(self, name: str, region: str | None) -> Any:
        if region not in self._clients:
            try:
                boto3 = self._load("boto3")
            except ImportError as error:
                raise _refuse(
                    name,
                    f"the job has no boto3 to read it with ({error})",
                    "Use an image that has boto3, or have it travel: `import boto3` in the function's module does.",
                ) from None
            self._clients[region] = boto3.session.Session().client("secretsmanager", region_name=region)
        return self._clients[region]


def find_region(environ: Mapping[str, str]) -> str | None:
    """The job's own region. Source: SageMaker sets AWS_REGION and TRAINING_JOB_ARN in containers."""
    parts = environ.get("TRAINING_JOB_ARN", "").split(":")
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or (parts[3] if len(parts) > 3 else None)


def _refuse(name: str, why: str, fix: str = "") -> JobFailed:
    return JobFailed(f"The secret {name} cannot be read, so the function was not run.", why=f"{why}.", fix=fix)
