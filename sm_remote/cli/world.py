"""What the commands need of the world around them, in one object: tests hand in another."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from sm_remote.errors import ConfigError, RemoteError
from sm_remote.home import (
    Discovery,
    Home,
    StandingOptions,
    find_home,
    read_standing_options,
    write_standing_options,
)

if TYPE_CHECKING:
    from sm_remote.aws.local_service import ServiceOptions
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

    def start(self, options: StandingOptions | None = None) -> Discovery:
        """The running service, started if there was none.

        Args:
            options: How it is to be started from now on; one that runs otherwise is replaced. None: as it is.

        Raises:
            ServiceUnavailable: It cannot be started, or one that runs otherwise has live jobs.
            ConfigError: The options cannot be met.
        """

    def stop(self, discovery: Discovery) -> None:
        """Ends it, waits until it is gone, and forgets how it was started.

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
        connect_briefly: AWS's region, and clients that give up after seconds, for commands that only look.
    """

    home: Home
    environ: Mapping[str, str]
    terminal: Terminal | None
    connect: Callable[[str | None], Connection]
    resolve: Callable[[], ResolvedSettings]
    service: ServiceControl
    now: Callable[[], datetime]
    connect_briefly: Callable[[str | None], tuple[str | None, Callable[[str], Any]]]

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

    def start(self, options: StandingOptions | None = None) -> Discovery:
        """See the protocol."""
        from sm_remote.aws.local_service import ensure_service
        from sm_remote.jobs.attach import choose_service

        wanted = choose_service(_resolve())
        if options is None:
            return ensure_service(self._home, wanted)
        before = read_standing_options(self._home)
        write_standing_options(self._home, options)
        try:
            return ensure_service(self._home, adapt_options(wanted, options))
        except RemoteError:
            write_standing_options(self._home, before)
            raise

    def stop(self, discovery: Discovery) -> None:
        """See the protocol."""
        from sm_remote.aws.local_service import stop_service

        stop_service(self._home, discovery)
        write_standing_options(self._home, StandingOptions())

    def call(self, discovery: Discovery, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """See the protocol."""
        from sm_remote.aws.local_service import call_service

        return call_service(discovery, operation, body)


def adapt_options(wanted: ServiceOptions, standing: StandingOptions) -> ServiceOptions:
    """What a command asks for, over what the settings say."""
    credentials = standing.container_credentials or wanted.container_credentials
    if credentials == "s3" and not standing.with_s3:
        raise ConfigError(
            "There is no S3 server of which containers could have the credentials.",
            fix="Add --with-s3, or name a profile: --container-credentials profile:NAME.",
        )
    if standing.with_s3:
        from sm_remote.service.storage.s3_server import find_program

        find_program(os.environ)
    return replace(wanted, with_s3=standing.with_s3, container_credentials=credentials)


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
        connect_briefly=_connect_briefly,
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


def _connect_briefly(region: str | None) -> tuple[str | None, Callable[[str], Any]]:
    from sm_remote.aws.session import connect_briefly

    return connect_briefly(region)


def _connect(target: str | None) -> Connection:
    from sm_remote.jobs.attach import connect_with
    from sm_remote.settings import resolve_settings

    return connect_with(resolve_settings({} if target is None else {"target": target}))
