"""Finds the Docker daemon that this user's own tools would talk to, and translates what goes wrong with it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
import urllib3
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from sm_remote.errors import EngineUnavailable
from sm_remote.service.engines.engine import ContainerLost, EngineError, ImageMissing

CONNECTIONS = 128
"""A running container holds two (its output, its end); beyond the number each request connects anew."""
ANSWER_S = 2
CALL_S = 60

BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a daemon that goes away makes of a call. (A `requests` exception is an OSError, and so is APIError's base.)"""


def connect_docker(environ: Mapping[str, str]) -> docker.APIClient:
    """Connects to the first daemon that answers within two seconds.

    Raises:
        EngineUnavailable: None does; the text has each address and what happened there.
    """
    failures = []
    for address in list_addresses(environ):
        try:
            return _connect(address)
        except (DockerException, *BROKEN) as error:
            failures.append(f"{address}: {_shorten(error)}")
    raise EngineUnavailable(
        "No Docker daemon answers.", why="; ".join(failures), fix=name_remedy(" ".join(failures)), tried=failures
    )


def _connect(address: str) -> docker.APIClient:
    if address.startswith("unix://"):
        _knock(address.removeprefix("unix://"))
    client = docker.APIClient(base_url=address, version="auto", timeout=ANSWER_S, max_pool_size=CONNECTIONS)
    client.timeout = CALL_S
    return client


def _knock(path: str) -> None:
    """Asks whether anybody answers; the SDK, when nobody does, leaves an open socket to the garbage collector."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_S)
        connection.connect(path)
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        connection.recv(1)


def list_addresses(environ: Mapping[str, str]) -> list[str]:
    """Where a daemon may listen: DOCKER_HOST alone if set, or else the current context and the usual sockets."""
    if named := environ.get("DOCKER_HOST"):
        return [named]
    addresses = ["unix:///var/run/docker.sock"]
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        addresses += [f"unix://{runtime}/docker.sock", f"unix://{runtime}/podman/podman.sock"]
    addresses = [address for address in addresses if Path(address.removeprefix("unix://")).exists()]
    context = _read_context()
    return list(dict.fromkeys(([context] if context else []) + (addresses or ["unix:///var/run/docker.sock"])))


def _read_context() -> str | None:
    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError):
        return None
    return str(context.Host) if context and context.Host else None


def _shorten(error: BaseException) -> str:
    text = str(error)
    for known in ("Permission denied", "No such file or directory", "Connection refused", "timed out"):
        if known in text:
            return known.lower()
    return text[:200]


def name_remedy(failures: str) -> str:
    """The command that mends what was found."""
    if "permission denied" in failures:
        return f"Let yourself use it: sudo usermod -aG docker {os.environ.get('USER', '$USER')} (then log in again)."
    if "connection refused" in failures:
        return "Start it: sudo systemctl start docker (or: sudo scripts/setup-engine.sh)."
    return "Install and start it: sudo scripts/setup-engine.sh, or see https://docs.docker.com/engine/install/."


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the Docker SDK raises into errors of an engine, with the daemon's own words."""
    try:
        yield
    except ImageNotFound as error:
        raise ImageMissing(error.explanation or str(error)) from error
    except NotFound as error:
        raise ContainerLost(error.explanation or str(error)) from error
    except APIError as error:
        raise EngineError(error.explanation or str(error)) from error
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise EngineError(f"the Docker daemon does not answer: {error}") from error
    except OSError as error:  # of this machine's own: a directory that cannot be made, a full disk
        raise EngineError(str(error)) from error
