"""What code in a container without network isolation is given of AWS: credentials as from an execution role, and S3.

On SageMaker a container has the credentials of its execution role. Here it has none unless the service was started
with some, because they would be the user's own. They come as a read-only file, never in the job's environment, log or
record; those that expire are renewed in place. An S3 endpoint on this machine's loopback is made reachable.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError, RemoteError
from sm_remote.home import Home, write_private
from sm_remote.service.api.authentication import Keys
from sm_remote.service.engines.engine import Engine, Mount
from sm_remote.service.hosts.companions import Companion
from sm_remote.service.hosts.relay import Relay

logger = logging.getLogger("sm_remote.service")

MOUNTED_AT = "/opt/ml/.aws"
"""Below /opt/ml, where every engine can mount, and where no image and no client of SageMaker keeps anything."""
_RENEW_EVERY_S = 60.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SIGNS = (b"NoCredentialsError", b"Unable to locate credentials", b"NoCredentialProviders")
"""Source: botocore's exception and its text, which the AWS CLI prints; the AWS SDK for Go."""


class CredentialsError(Exception):
    """The credentials that containers are to have cannot be had; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What a container's AWS client signs with.

    Attributes:
        expires: When, in ISO 8601; None for never.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: str | None = None


Grant = Callable[[], Credentials]
"""Gives the credentials that are good now; raises `CredentialsError`."""


def open_grant(choice: str, s3_keys: Keys | None) -> Grant | None:
    """Reads the setting `container_credentials`.

    Args:
        choice: ``none``, ``s3`` or ``profile:NAME``.
        s3_keys: Those of the S3 server beside the service that are for containers, where there is one.

    Raises:
        ConfigError: It is something else, or cannot be had.
    """
    if choice == "none":
        return None
    if choice == "s3":
        if s3_keys is None:
            raise ConfigError(
                "container_credentials is 's3', and no S3 server runs beside the service.",
                fix="Start it with one: `sm-remote service start --with-s3`; or name a profile: 'profile:NAME'.",
            )
        fixed = Credentials(access_key=s3_keys.access_key, secret_key=s3_keys.secret_key)
        return lambda: fixed
    kind, _, profile = choice.partition(":")
    if kind != "profile" or not profile:
        raise ConfigError(
            f"container_credentials cannot be {choice!r}.",
            why="It says which credentials code in a container gets.",
            fix="Give 'none', 's3' (of the server that --with-s3 starts), or 'profile:NAME' with a profile of AWS.",
        )
    return _open_profile(profile)


def _open_profile(profile: str) -> Grant:
    import botocore.exceptions
    import botocore.session

    session = botocore.session.Session(profile=profile)
    try:
        found = session.get_credentials()
    except botocore.exceptions.BotoCoreError as error:
        raise ConfigError(
            f"Containers are to have the credentials of the AWS profile {profile!r}, which cannot be had.",
            why=str(error),
            fix=f"`aws configure --profile {profile}` makes one; `aws configure list-profiles` lists those there are.",
        ) from error
    if found is None:
        raise ConfigError(
            f"The AWS profile {profile!r} holds no credentials, and containers are to have them.",
            fix=f"`aws configure --profile {profile}` writes some.",
        )

    def grant() -> Credentials:
        try:
            frozen = found.get_frozen_credentials()
        except botocore.exceptions.BotoCoreError as error:
            raise CredentialsError(f"those of the AWS profile {profile!r} cannot be had: {error}") from error
        expires = getattr(found, "_expiry_time", None)  # botocore has no public name for it
        return Credentials(
            access_key=frozen.access_key or "",
            secret_key=frozen.secret_key or "",
            token=frozen.token,
            expires=expires.isoformat() if expires is not None else None,
        )

    return grant


class ContainerAccess:
    """Decides what each container gets.

    Args:
        home: Where the relay's port is remembered.
        engine: Knows how containers reach this machine.
        grant: See `open_grant`.
        find_endpoint: Tells the S3 endpoint that the service itself uses, where that is not AWS's own.
    """

    def __init__(
        self, *, home: Home, engine: Engine, grant: Grant | None, find_endpoint: Callable[[], str | None]
    ) -> None:
        self._home = home
        self._engine = engine
        self._grant = grant
        self._find_endpoint = find_endpoint
        self._lock = threading.Lock()
        self._found: tuple[str | None] | None = None
        self._relay: Relay | None = None

    def build_companions(self, request: Mapping[str, Any], directory: Path) -> tuple[Companion, ...]:
        """What a job's container gets: nothing under network isolation.

        Args:
            request: CreateTrainingJob's.
            directory: Of this container alone.
        """
        if request.get("EnableNetworkIsolation", False):
            return ()
        endpoint = self._reachable_endpoint()
        if self._grant is None and endpoint is None:
            return ()
        given = request.get("Environment", {})
        # Source: AWS SDKs Reference Guide, "Service-specific endpoints"; the second is the training toolkit's.
        names = ("AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL")
        environment = {name: endpoint for name in names if endpoint is not None and name not in given}
        if self._grant is None:
            return (Surroundings(environment=environment),)
        return (CredentialsFile(self._grant, directory / "aws", environment),)

    def find_advice(self, request: Mapping[str, Any]) -> Callable[[bytes], str | None] | None:
        """What to tell in a job's log, once, when it looks for credentials that it was not given."""
        if request.get("EnableNetworkIsolation", False) or self._grant is not None:
            return None
        return _advise_on_credentials

    def close(self) -> None:
        """Passes nothing on any more."""
        if self._relay is not None:
            self._relay.close()

    def _reachable_endpoint(self) -> str | None:
        with self._lock:
            if self._found is None:
                self._found = (self._make_reachable(self._find_endpoint()),)
            return self._found[0]

    def _make_reachable(self, endpoint: str | None) -> str | None:
        parts = urllib.parse.urlsplit(endpoint or "")
        if endpoint is None or parts.hostname not in _LOOPBACK:
            return endpoint
        gateway = self._engine.find_gateway()
        if gateway is None:
            return endpoint
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if gateway.forwards_loopback:
            return parts._replace(netloc=f"{gateway.address}:{port}").geturl()
        try:
            self._relay = Relay(
                (gateway.address, self._remembered_port()), (parts.hostname, port), self._engine.list_subnets
            )
        except OSError as error:
            logger.warning("Containers cannot reach %s: %s cannot be listened at: %s", endpoint, gateway, error)
            return None
        write_private(self._home.service / "relay-port", str(self._relay.port))
        return parts._replace(netloc=f"{gateway.address}:{self._relay.port}").geturl()

    def _remembered_port(self) -> int:
        """The last service's, so that containers which run on find it again."""
        try:
            return int((self._home.service / "relay-port").read_text())
        except (OSError, ValueError):
            return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """A `Companion` that is some environment variables."""

    environment: Mapping[str, str]
    mounts: Sequence[Mount] = ()

    def prepare(self, go_on: Callable[[], None]) -> None:
        """See `Companion`."""

    def start(self) -> None:
        """See `Companion`."""

    def finish(self) -> None:
        """See `Companion`."""


class CredentialsFile:
    """A `Companion`: the container's credentials, in a directory that it can only read.

    Those that never expire are a shared credentials file. Others are renewed while the job runs; an AWS client reads
    that file only once, so it gets a program to ask, which is `cat`.
    Source: AWS SDKs Reference Guide, "Process credential provider".
    """

    def __init__(self, grant: Grant, directory: Path, environment: Mapping[str, str]) -> None:
        self._grant = grant
        self._directory = directory
        self._ended = threading.Event()
        self.mounts = (Mount(source=directory, target=MOUNTED_AT, read_only=True),)
        self.environment: Mapping[str, str] = {
            **environment,
            "AWS_SHARED_CREDENTIALS_FILE": f"{MOUNTED_AT}/credentials",
            "AWS_CONFIG_FILE": f"{MOUNTED_AT}/config",
        }

    def prepare(self, go_on: Callable[[], None]) -> None:
        """Writes the files. Raises `CredentialsError`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # Whoever the container runs as; nobody else passes the private directory above.
        self._directory.chmod(0o755)
        self._write(self._grant())

    def start(self) -> None:
        """Renews credentials that expire for as long as the container runs."""
        if (self._directory / "renewed.json").exists():
            threading.Thread(target=self._renew, name="credentials", daemon=True).start()

    def finish(self) -> None:
        """Takes the credentials away."""
        self._ended.set()
        for name in ("credentials", "config", "renewed.json"):
            (self._directory / name).unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._ended.wait(_RENEW_EVERY_S):
            try:
                credentials = self._grant()
            except CredentialsError as error:
                logger.warning("A container's credentials were not renewed: %s", error)
            else:
                if not self._ended.is_set():
                    self._write(credentials)

    def _write(self, credentials: Credentials) -> None:
        for name, text in render_files(credentials).items():
            write_private(self._directory / name, text)
            (self._directory / name).chmod(0o444)


def render_files(credentials: Credentials) -> dict[str, str]:
    """The files of a container's AWS clients, by name."""
    if credentials.expires is None:
        lines = [
            "[default]",
            f"aws_access_key_id = {credentials.access_key}",
            f"aws_secret_access_key = {credentials.secret_key}",
            *([f"aws_session_token = {credentials.token}"] if credentials.token else []),
        ]
        return {"credentials": "\n".join(lines) + "\n", "config": ""}
    answer = {
        "Version": 1,
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "SessionToken": credentials.token,
        "Expiration": credentials.expires,
    }
    return {
        "credentials": "",
        "config": f"[default]\ncredential_process = cat {MOUNTED_AT}/renewed.json\n",
        "renewed.json": json.dumps(answer),
    }


def _advise_on_credentials(line: bytes) -> str | None:
    if not any(sign in line for sign in _SIGNS):
        return None
    return (
        "sm_remote: the job looked for AWS credentials, and containers on this machine are given none "
        "(container_credentials is none). To give them those of a profile of yours: "
        "sm-remote service start --container-credentials profile:NAME"
    )


def find_s3_endpoint(environ: Mapping[str, str] = os.environ) -> str | None:
    """The S3 endpoint that boto3 would use, where the user has named one.

    Source: AWS SDKs Reference Guide, "Service-specific endpoints".
    """
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    named = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if named:
        return named
    if not Path(environ.get("AWS_CONFIG_FILE", "~/.aws/config")).expanduser().exists():
        return None
    import botocore.exceptions
    import botocore.session

    try:
        session = botocore.session.Session()
        config = session.get_scoped_config()
        services = session.full_config.get("services", {}).get(config.get("services", ""), {})
        found = services.get("s3", {}).get("endpoint_url") or config.get("endpoint_url")
    except (botocore.exceptions.BotoCoreError, RemoteError, AttributeError):
        return None
    return str(found) if found else None
