"""What the commands need of the world around them, in one object: tests hand in another."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from sm_remote.home import Discovery, Home, find_home

if TYPE_CHECKING:
    from sm_remote.jobs.connection import Connection
    from sm_remote.settings import ResolvedSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    """A person's screen.

    Attributes:
        width: In columns.
        colours: Whether to use them; not with ``NO_COLOR`` set.
    """

    width: int
    colours: bool


class ServiceControl(Protocol):
    """Starts, finds and ends the local training service; asked by `sm-remote service` and the doctor."""

    def find(self) -> tuple[Discovery, dict[str, Any]] | None:
        """The running service and its own status, or None; never starts one."""

    def start(self) -> Discovery:
        """The running service, started if there was none.

        Raises:
            ServiceUnavailable: It cannot be started.
        """

    def stop(self, discovery: Discovery) -> None:
        """Ends it and waits until it is gone.

        Raises:
            ServiceUnavailable: It does not end.
        """

    def call(self, discovery: Discovery, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Calls one of its own operations (``SmRemote.*``).

        Raises:
            ServiceUnavailable: It does not answer, or refuses.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Where a command runs.

    Attributes:
        home: This user's state.
        environ: The environment's variables.
        terminal: What stdout is shown on; None for a file or a pipe.
        connect: The connection to a target, or to the one that the settings name.
        resolve: The settings as they are outside of any decorator.
        service: The local training service.
        now: The time, with its zone.
    """

    home: Home
    environ: Mapping[str, str]
    terminal: Terminal | None
    connect: Callable[[str | None], Connection]
    resolve: Callable[[], ResolvedSettings]
    service: ServiceControl
    now: Callable[[], datetime]

    @property
    def width(self) -> int:
        """Columns for wrapped text."""
        return self.terminal.width if self.terminal else 100

    @property
    def colours(self) -> bool:
        """Whether stdout takes colours."""
        return self.terminal is not None and self.terminal.colours


class LocalServiceControl:
    """The `ServiceControl` of this user's real service."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def find(self) -> tuple[Discovery, dict[str, Any]] | None:
        """See the protocol."""
        from sm_remote.aws.local_service import find_service

        return find_service(self._home)

    def start(self) -> Discovery:
        """See the protocol."""
        from sm_remote.errors import ServiceUnavailable

        discovery = _connect("local").training_jobs.session.discovery
        if discovery is None:
            raise ServiceUnavailable("The local training service was started, but did not say where it is.")
        return discovery

    def stop(self, discovery: Discovery) -> None:
        """See the protocol."""
        from sm_remote.aws.local_service import stop_service

        stop_service(self._home, discovery)

    def call(self, discovery: Discovery, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """See the protocol."""
        from sm_remote.aws.local_service import call_service

        return call_service(discovery, operation, body)


def build_world() -> World:
    """The world as it is. What is heavy to import is imported when it is first asked for."""
    home = find_home()
    return World(
        home=home,
        environ=os.environ,
        terminal=find_terminal(os.environ),
        connect=_connect,
        resolve=_resolve,
        service=LocalServiceControl(home),
        now=lambda: datetime.now(timezone.utc),
    )


def find_terminal(environ: Mapping[str, str]) -> Terminal | None:
    """The screen behind stdout, or None where it is a file or a pipe."""
    if not sys.stdout.isatty():
        return None
    colours = "NO_COLOR" not in environ and environ.get("TERM") != "dumb"
    return Terminal(width=shutil.get_terminal_size().columns, colours=colours)


def _resolve() -> ResolvedSettings:
    from sm_remote.settings import resolve_settings

    return resolve_settings({})


def _connect(target: str | None) -> Connection:
    from sm_remote.jobs.attach import connect_with
    from sm_remote.settings import resolve_settings

    return connect_with(resolve_settings({} if target is None else {"target": target}))
