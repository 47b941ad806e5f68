"""Reads what the SageMaker SDK's configuration says of remote functions: the administrator's file, then the user's.

The files are another tool's. So of all that they hold only ``SageMaker.PythonSDK.Modules.RemoteFunction`` is looked at,
and a key there that has no meaning here costs a warning, not the call. A value that is taken is checked as any other.
Source: SageMaker SDK, `sagemaker.config` and its schema; Developer Guide, "Configuring and using defaults with the
SageMaker Python SDK".
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError, RemoteError, StorageError
from sm_remote.home import LOCAL_BUCKET, find_home
from sm_remote.settings.schema import check_value
from sm_remote.storage import Store, open_store, parse_s3_uri

_logger = logging.getLogger("sm_remote")

SECTION = ("SageMaker", "PythonSDK", "Modules", "RemoteFunction")
SETTINGS: Mapping[str, str] = {
    "Dependencies": "dependencies",
    "PreExecutionCommands": "pre_execution_commands",
    "PreExecutionScript": "pre_execution_script",
    "EnableInterContainerTrafficEncryption": "encrypt_inter_container_traffic",
    "EnvironmentVariables": "environment_variables",
    "ImageUri": "image_uri",
    "IncludeLocalWorkDir": "include_local_workdir",
    "CustomFileFilter.IgnoreNamePatterns": "custom_file_filter",
    "InstanceType": "instance_type",
    "JobCondaEnvironment": "job_conda_env",
    "RoleArn": "role",
    "S3KmsKeyId": "s3_kms_key",
    "S3RootUri": "s3_root_uri",
    "Tags": "tags",
    "VolumeKmsKeyId": "volume_kms_key",
    "VpcConfig.SecurityGroupIds": "security_group_ids",
    "VpcConfig.Subnets": "subnets",
}
"""Every key of the section's schema with the setting that it is."""
_TABLES = frozenset(key.partition(".")[0] for key in SETTINGS if "." in key)
_FILE = "config.yaml"
_SCHEMA_VERSION = "1.0"

Section = Mapping[str, Any]


def read_sagemaker_config(environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gives the settings of each file with its path or URI, the administrator's first.

    The SDK merges tables of both files, so the environment variables of the second are given with those of the first.

    Raises:
        ConfigError: A file that was named is not there, one cannot be read, or a value is not accepted.
    """
    above: dict[str, str] = {}
    for place, is_named in (_find_admin(environ), _find_user(environ)):
        values = dict(_read_remote(place)) if place.startswith("s3://") else _read_local(place, is_named=is_named)
        variables = values.get("environment_variables")
        if variables is not None:
            above |= variables
            values["environment_variables"] = dict(above)
        yield place, values


def _find_admin(environ: Mapping[str, str]) -> tuple[str, bool]:
    """Where the administrator's file is or would be, and whether somebody named it."""
    named = environ.get("SAGEMAKER_ADMIN_CONFIG_OVERRIDE")
    if named:
        return named, True
    if sys.platform == "darwin":
        return f"/Library/Application Support/sagemaker/{_FILE}", False
    first = environ.get("XDG_CONFIG_DIRS", "").partition(":")[0]
    return str(Path(first or "/etc/xdg", "sagemaker", _FILE)), False


def _find_user(environ: Mapping[str, str]) -> tuple[str, bool]:
    named = environ.get("SAGEMAKER_USER_CONFIG_OVERRIDE")
    if named:
        return named, True
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return str(home / "Library" / "Application Support" / "sagemaker" / _FILE), False
    return str(Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "sagemaker", _FILE)), False


def _read_local(place: str, *, is_named: bool) -> dict[str, Any]:
    path = Path(place) / _FILE if os.path.isdir(place) else Path(place)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if not is_named:
            return {}
        raise _unreadable(place, "There is no such file") from error
    except OSError as error:
        raise _unreadable(place, error.strerror or str(error)) from error
    return dict(_read_version(path, status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=16)
def _read_version(path: Path, *_version: int) -> Mapping[str, Any]:
    try:
        return read_settings(path.read_bytes(), origin=str(path))
    except OSError as error:
        raise _unreadable(str(path), error.strerror or str(error)) from error


@lru_cache(maxsize=16)
def _read_remote(uri: str) -> Mapping[str, Any]:
    """Reads a file in S3, once for each process: settings are resolved at every call."""
    return read_settings(_fetch(uri), origin=uri)


def _fetch(uri: str, environ: Mapping[str, str] = os.environ) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        parse_s3_uri(uri)
        if bucket == LOCAL_BUCKET:
            return _fetch_first(_list_keys(key), _open_local(bucket).get, uri)
        import boto3  # only where somebody names a file in S3

        session = boto3.session.Session()
        # Whoever owns the bucket decides what jobs run, so it is the caller's own account, or one that he names.
        owner = environ.get("SM_REMOTE_BUCKET_OWNER") or session.client("sts").get_caller_identity()["Account"]
        return fetch_object(session.client("s3"), bucket, key, owner=owner, uri=uri)
    except RemoteError as error:
        raise _unreadable(uri, f"{error.what} {error.why}".rstrip(". ")) from error
    except Exception as error:  # whatever boto3 raises without credentials, region or network
        raise _unreadable(uri, f"{type(error).__name__}: {str(error).rstrip('.')}") from error


def fetch_object(client: Any, bucket: str, key: str, *, owner: str, uri: str) -> bytes:
    """Reads the object of a key, or ``config.yaml`` below it.

    Args:
        client: A boto3 client for S3.
        bucket: Its bucket.
        key: A key or the beginning of one.
        owner: The account that must own the bucket.
        uri: What the user wrote, for messages.

    Raises:
        RemoteError: There is neither, or it cannot be read.
    """
    from sm_remote.storage.s3_errors import translated_errors

    def read(name: str) -> bytes:
        with translated_errors("read", f"s3://{bucket}/{name}"):
            body: bytes = client.get_object(Bucket=bucket, Key=name, ExpectedBucketOwner=owner)["Body"].read()
        return body

    return _fetch_first(_list_keys(key), read, uri)


def _open_local(bucket: str) -> Store:
    return open_store(f"s3://{bucket}", home=find_home(), s3_client_factory=lambda: None)


def _list_keys(key: str) -> list[str]:
    bare = key.strip("/")
    return [bare, f"{bare}/{_FILE}"] if bare else [_FILE]


def _fetch_first(keys: list[str], read: Callable[[str], bytes], uri: str) -> bytes:
    for key in keys:
        try:
            return read(key)
        except StorageError as error:
            if not error.facts.get("missing"):
                raise
    raise StorageError(f"There is neither an object {uri} nor {_FILE} below it.", missing=True)


def read_settings(content: bytes, *, origin: str) -> dict[str, Any]:
    """The settings that a file's content says.

    Raises:
        ConfigError: It is no YAML, or a value is not accepted.
    """
    section = _find_section(content, origin)
    settings: dict[str, Any] = {}
    for key, value in _flatten(section, origin):
        if key not in SETTINGS:
            _logger.warning("%s: %s.%s is not known to sm_remote and not used.", origin, ".".join(SECTION), key)
        elif value is not None:
            name = SETTINGS[key]
            settings[name] = check_value(name, value, origin=f"{origin}, {'.'.join(SECTION)}.{key}")
    return settings


def _find_section(content: bytes, origin: str) -> Section:
    import yaml  # a tenth of what a local call may take, and most people have no such file

    try:
        found = yaml.safe_load(content.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(origin, " ".join(str(error).split())) from error
    if isinstance(found, Mapping) and found.get("SchemaVersion", _SCHEMA_VERSION) != _SCHEMA_VERSION:
        _logger.warning("%s has SchemaVersion %r; %r is known.", origin, found["SchemaVersion"], _SCHEMA_VERSION)
    for name in SECTION:
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise _unreadable(origin, f"{'.'.join(SECTION)} is a {type(found).__name__}, not a table")
    return found


def _flatten(section: Section, origin: str) -> Iterator[tuple[str, Any]]:
    """Each key with its value; those of a table in it with the table's name before."""
    for key, value in section.items():
        if key not in _TABLES or value is None:
            yield str(key), value
        elif isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())
        else:
            raise _unreadable(origin, f"{'.'.join(SECTION)}.{key} is a {type(value).__name__}, not a table")


def _unreadable(place: str, reason: str) -> ConfigError:
    return ConfigError(
        f"The SageMaker configuration {place} cannot be used.",
        why=f"{reason}.",
        fix="Correct it, or name another: SAGEMAKER_USER_CONFIG_OVERRIDE and SAGEMAKER_ADMIN_CONFIG_OVERRIDE say which "
        "files are read; /dev/null is none.",
        path=place,
    )
