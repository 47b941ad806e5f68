"""Finds the local training service of this user, starts it when none answers, and replaces one of another version."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_remote import __version__
from sm_remote.errors import EngineUnavailable, ServiceUnavailable, StorageError
from sm_remote.home import (
    LOCAL_KEY_PREFIX,
    LOCAL_REGION,
    Discovery,
    Home,
    build_home_environment,
    make_private,
    read_discovery,
)

logger = logging.getLogger("sm_remote")

START_LIMIT_S = 20.0
BETWEEN_STARTS_S = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceOptions:
    """How a service is to be started, where one has to be. None leaves it to the service.

    What is started with an S3 server is decided in `home.StandingOptions`; ``with_s3`` says that one is needed.
    """

    engine: str = "auto"
    idle_s: float | None = None
    max_parallel_jobs: int | None = None
    container_credentials: str | None = None
    with_s3: bool | None = None

    def to_environment(self) -> dict[str, str]:
        """The variables that `python -m sm_remote.service` reads."""
        chosen = {
            "SM_REMOTE_ENGINE": self.engine,
            "SM_REMOTE_SERVICE_IDLE_S": self.idle_s,
            "SM_REMOTE_SERVICE_MAX_PARALLEL_JOBS": self.max_parallel_jobs,
            "SM_REMOTE_CONTAINER_CREDENTIALS": self.container_credentials,
        }
        return {name: str(value) for name, value in chosen.items() if value is not None}


def call_service(discovery: Discovery, operation: str, body: Mapping[str, Any], *, limit_s: int = 30) -> dict[str, Any]:
    """Calls one of the service's own operations (``SmRemote.*``), which no AWS model knows.

    Raises:
        ServiceUnavailable: It does not answer, or answers with an error.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.exceptions import HTTPClientError
    from botocore.httpsession import URLLib3Session

    request = AWSRequest(
        method="POST",
        url=discovery.endpoint_url + "/",
        data=json.dumps(dict(body)).encode(),
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"SmRemote.{operation}"},
    )
    SigV4Auth(Credentials(discovery.access_key, discovery.secret_key), "sagemaker", LOCAL_REGION).add_auth(request)
    try:
        response = URLLib3Session(timeout=limit_s, proxies={}).send(request.prepare())
    except (HTTPClientError, NoConnectionError) as error:
        raise ServiceUnavailable("The local training service does not answer.", why=str(error)) from error
    text = response.text
    if response.status_code != 200:
        raise ServiceUnavailable(f"The local training service refused {operation}.", why=_read_refusal(text))
    answer: dict[str, Any] = json.loads(text) if text else {}
    return answer


def _read_refusal(text: str) -> str:
    """What an answer gives as its reason: of an error in AWS's form, its message."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, TypeError, KeyError):
        return text[:500]


def find_service(home: Home) -> tuple[Discovery, dict[str, Any]] | None:
    """The running service and its own status, or None when none answers."""
    discovery = read_discovery(home)
    if discovery is None:
        return None
    try:
        return discovery, call_service(discovery, "Status", {}, limit_s=5)
    except ServiceUnavailable:
        return None


def ensure_service(
    home: Home,
    options: ServiceOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Discovery:
    """Returns a service of this version that runs the wanted engine, starting one when needed.

    Raises:
        ServiceUnavailable: It could not be started, or one of another version has live jobs.
        EngineUnavailable: The engine that was asked for does not answer.
    """
    found = find_service(home)
    if found is not None:
        discovery, status = found
        mismatch = describe_mismatch(status, options)
        if mismatch is None:
            return discovery
        _retire(home, discovery, status, mismatch, clock=clock, sleep=sleep)
    return _start(home, options, clock=clock, sleep=sleep)


def describe_mismatch(status: Mapping[str, Any], options: ServiceOptions) -> str | None:
    """Why a running service is not the one that is wanted, or None."""
    if status["Version"] != __version__:
        return f"it is of version {status['Version']}, this is {__version__}"
    if options.engine not in ("auto", status["Engine"]):
        return f"it runs the engine {status['Engine']!r}, and {options.engine!r} is wanted"
    credentials = status.get("ContainerCredentials")
    if options.container_credentials not in (None, credentials):
        return f"it gives containers the credentials {credentials!r}, and {options.container_credentials!r} is wanted"
    if options.with_s3 not in (None, status.get("S3EndpointUrl") is not None):
        return f"it runs {'without' if options.with_s3 else 'with'} an S3 server"
    return None


def _retire(
    home: Home,
    discovery: Discovery,
    status: Mapping[str, Any],
    mismatch: str,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    live = int(status.get("RunningJobs", 0)) + int(status.get("QueuedJobs", 0))
    if live:
        raise ServiceUnavailable(
            f"The local training service (process {discovery.pid}) cannot take this job: {mismatch}.",
            why=f"It still has {live} live job(s), so it was left alone.",
            fix="Wait for them (`sm-remote jobs`), or end it with `sm-remote service stop`, and call again.",
        )
    logger.info("Replacing the local training service: %s.", mismatch)
    stop_service(home, discovery, clock=clock, sleep=sleep)


def stop_service(
    home: Home,
    discovery: Discovery,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Asks a service to end and waits until it has gone; its running containers are left to its successor."""
    try:
        call_service(discovery, "Shutdown", {}, limit_s=5)
    except ServiceUnavailable:
        logger.debug("The service did not answer Shutdown; it may be gone already.")
    deadline = clock() + START_LIMIT_S
    while clock() < deadline:
        current = read_discovery(home)
        if current is None or current.instance != discovery.instance:
            return
        sleep(0.02)
    raise ServiceUnavailable(
        f"The local training service (process {discovery.pid}) does not end.",
        fix=f"End it with `kill {discovery.pid}`; running jobs go on and are taken over by the next service.",
    )


def _start(
    home: Home, options: ServiceOptions, *, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Discovery:
    try:
        make_private(home.data)
        make_private(home.service)
    except OSError as error:
        raise StorageError(
            f"The directory for this user's state, {home.data}, cannot be used.",
            why=f"{error.strerror}: {error.filename}",
            fix="Set SM_REMOTE_HOME to a directory of your own; `sm-remote doctor` checks it.",
        ) from error
    log_path = home.service / "service.log"
    offset = log_path.stat().st_size if log_path.exists() else 0
    process = _spawn(home, options, log_path)
    deadline = clock() + START_LIMIT_S
    while clock() < deadline:
        discovery = read_discovery(home)
        if discovery is not None:
            found = find_service(home)
            if found is not None:
                return found[0]
        if process.returncode == 0:
            # Another one held the lock. It may have been one that was about to end.
            sleep(BETWEEN_STARTS_S)
            process = _spawn(home, options, log_path)
        elif process.returncode is not None:
            break
        sleep(0.01)
    with log_path.open("rb") as written:
        written.seek(offset)
        tail = written.read().decode(errors="replace").strip()[-1500:]
    raise _explain_start_failure(options, tail, str(log_path))


def _spawn(home: Home, options: ServiceOptions, log_path: Path) -> subprocess.Popen[bytes]:
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sm_remote.service"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            # Not the variable as it is now: it may be relative, and it may name another home than ours by now.
            env={**build_home_environment(home, without_own_variables(os.environ)), **options.to_environment()},
            start_new_session=True,
        )
    # It outlives us as a rule; where it does not, somebody must collect its exit.
    threading.Thread(target=process.wait, name="sm_remote-service-exit", daemon=True).start()
    return process


def without_own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without what `sm-remote service env` put there.

    A service that was started from such a shell would look for the user's buckets at its predecessor.
    """
    if not environ.get("AWS_ACCESS_KEY_ID", "").startswith(LOCAL_KEY_PREFIX):
        return dict(environ)
    own = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    return {name: value for name, value in environ.items() if not name.startswith(own)}


def _explain_start_failure(options: ServiceOptions, tail: str, log_path: str) -> Exception:
    if "EngineUnavailable" in tail and options.engine != "auto":
        why, remedy = ["", *tail.splitlines()][-2:]  # the last lines of the service's own EngineUnavailable
        return EngineUnavailable(
            f"The engine {options.engine!r} does not answer.",
            why=why,
            fix=f"{remedy} Or leave engine at 'auto': then jobs run as processes here. `sm-remote doctor` checks it.",
        )
    return ServiceUnavailable(
        "The local training service could not be started.",
        why=tail or "It said nothing.",
        fix=f"Its log is {log_path}; `sm-remote doctor` looks for the cause.",
    )
